#pragma once

#include <filesystem>
#include <memory>

#include "unmar/image/image.h"

namespace unmar {

/// Writes a picture that comes some rows at a time, as write_pages() writes one that is in memory.
/// Takes memory for these rows only; the samples wait in a file without a name in `folder`, of the
/// size of the picture, for those of libvips. What comes of it is complete or not there at all.
/// throws as write_pages(), and Error{io} if `folder` has no space.
class RowWriter {
 public:
  struct Size {
    int channels, height, width;
    bool with_alpha;
  };
  /// source: of the whole; what belongs to single pixels comes with the rows. like: see
  /// write_pages().
  RowWriter(const std::filesystem::path& path, const Size& size, const ImageSource& source,
            const std::filesystem::path& folder, const std::filesystem::path& like,
            const WriteOptions& options = {});
  ~RowWriter();
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

  /// The next rows, from the top. Their range is that of the whole.
  void write(const Image& rows);
  /// After the last: makes the file.
  void finish();

 private:
  class File;
  std::unique_ptr<File> file_;
};

}  // namespace unmar
