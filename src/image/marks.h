#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "base/scratch_file.h"
#include "unmar/image/image.h"

namespace unmar::image {

/// Which samples of a picture lie outside of its range, and what becomes of them. Takes memory or
/// space for rows with such samples only. get() may be called by several threads at once.
class Marks {
 public:
  /// folder: see ScratchFile.
  Marks(int channels, int height, int width, const std::filesystem::path& folder);

  void put(int channel, int y, std::span<const SampleUse> row);
  bool any() const { return file_.has_value(); }
  /// Samples in `range` belong to the picture nevertheless.
  void take_back(int channel, const ValueRange& range);

  /// Of values.size() samples from (y, x) on.
  void get(int channel, int y, int x, std::span<const double> values,
           std::span<SampleUse> use) const;

 private:
  std::uint64_t place(int channel, int y, int x) const;

  const int height_, width_;
  std::vector<std::optional<ValueRange>> used_;  ///< of each channel
  const std::filesystem::path folder_;
  std::optional<ScratchFile> file_;
};

}  // namespace unmar::image
