#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/scratch_file.h"
#include "image/marks.h"
#include "image/opened.h"
#include "image/samples.h"
#include "unmar/image/parts.h"

namespace unmar::image {

/// How a file's picture is held.
struct Holding {
  std::filesystem::path folder = {};     ///< for what is too large for memory; empty: nothing is
  double most_in_memory = 128 * 0x1p20;  ///< bytes
  int most_rows = 0;                     ///< judged at once; 0: as memory allows
};

/// A file's picture, decoded once: a sample is looked at when a part asks for it.
class FileParts final : public PictureParts {
 public:
  /// known: borrowed, or null. throws vips::VError, and Error as read_image().
  FileParts(Opened opened, FileKind kind, const std::filesystem::path& path,
            const ReadOptions& options, const PictureParts* known, const Holding& holding);

  /// Of what was wrong with the file.
  void warn(const std::string& warning) {
    if (!warning.empty()) source_.warning = warning;
  }

  ImageFacts facts() const override { return {channels_, height(), width(), source_}; }
  int channels() const override { return channels_; }
  int height() const override { return region_.height; }
  int width() const override { return region_.width; }
  Image part(const Rect& rect) const override;

 private:
  void hold(const Holding& holding, const SharedMetadata& metadata);
  void settle_ranges(ReadOptions options, const Holding& holding);
  void choose_region(const std::optional<Rect>& wanted);
  void check_known_size() const;
  void check_missing(double most) const;
  bool is_plain(const ReadOptions& options) const;

  std::vector<float> alpha_of(const Rect& rect) const;
  void apply_known(Samples& samples, const Rect& rect, std::span<const float> alpha) const;
  /// Of `count` channels from `first` on; not yet compared with the range.
  Samples samples_of(const Rect& rect, int first, int count, std::span<const float> alpha) const;
  void fill_plainly(Image& image, const Rect& rect) const;
  void fill(Image& image, const Rect& rect) const;

  const std::filesystem::path path_;
  const PictureParts* known_;
  Meaning meaning_;
  int channels_;
  std::unique_ptr<ScratchFile> scratch_;  ///< outlives pixels_, which are read from it
  vips::VImage pixels_;                   ///< upright
  Rect region_;                           ///< that is handed out
  ImageSource source_;                    ///< of the whole, without what belongs to single pixels
  bool plain_ = false;                    ///< no sample needs to be looked at before
  bool any_opaque_ = true;
  Marks marks_;
};

/// throws as read_image().
std::unique_ptr<FileParts> open_file(const std::filesystem::path& path, const ReadOptions& options,
                                     double max_megapixels, const PictureParts* known,
                                     const Holding& holding);

}  // namespace unmar::image
