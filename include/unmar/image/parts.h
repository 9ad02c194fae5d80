#pragma once

#include <filesystem>
#include <memory>

#include "unmar/image/image.h"
#include "unmar/tensor/tiles.h"

/// Pictures that are larger than memory.
namespace unmar {

/// A picture that is looked at in parts. part() may be called by several threads at once.
class PictureParts {
 public:
  virtual ~PictureParts() = default;
  virtual ImageFacts facts() const = 0;
  virtual int channels() const = 0;
  virtual int height() const = 0;
  virtual int width() const = 0;
  /// As crop() of the whole. throws as that, and as reading where it comes from.
  virtual Image part(const Rect& rect) const = 0;
};

/// Of one in memory, which is borrowed.
std::unique_ptr<PictureParts> parts_of(const Image& picture);

/// Of a part of a picture, which is borrowed.
std::unique_ptr<PictureParts> parts_within(const PictureParts& picture, const Rect& rect);

/// A file's picture as read_image() makes it, but in bounded memory: a decoded picture of more than
/// 128 MiB lies in a file without a name in `folder` while this lives. Whether a group of values
/// is an outlier is judged by what lies within 128 rows of it. FITS extensions, `.fits.gz`, TIFF of
/// doubles, halves and 12 bits are in memory while they are decoded. known: as for read_image(),
/// borrowed.
/// throws as read_image(), and Error{io} if `folder` has no space. There is no limit of size but
/// `max_megapixels`, if it is given.
std::unique_ptr<PictureParts> open_parts(const std::filesystem::path& path,
                                         const ReadOptions& options,
                                         const std::filesystem::path& folder,
                                         const PictureParts* known = nullptr);

}  // namespace unmar
