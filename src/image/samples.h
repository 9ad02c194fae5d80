#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <vector>

#include "image/marks.h"
#include "image/sample_range.h"
#include "unmar/image/image.h"

namespace unmar::image {

/// The samples of a file in its own units, planar, and what may be made of them.
struct Samples {
  int channels = 0, height = 0, width = 0;
  std::vector<double> values;
  std::vector<SampleUse> use;  ///< empty: all are used
  /// Pixels whose values tell nothing of the range: transparent, or half known. Empty: there are
  /// none.
  std::vector<bool> uncounted;

  std::size_t plane() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
  SampleUse use_of(std::size_t i) const { return use.empty() ? SampleUse::used : use[i]; }
  bool counts(std::size_t i) const {
    return use_of(i) == SampleUse::used && (uncounted.empty() || !uncounted[i % plane()]);
  }
  void mark(std::size_t i, SampleUse how) {
    if (use.empty()) use.resize(values.size(), SampleUse::used);
    use[i] = how;
  }
};

/// Where samples come from, some rows at a time.
struct SampleSource {
  int channels = 0, height = 0, width = 0;
  int first = 0;   ///< the number of the first channel among those of the file
  int band = 0;    ///< rows that are looked at at once
  int margin = 0;  ///< rows around those that say whether a sample is an outlier
  /// Rows [y, y + count) of all channels; what is missing, discarded or does not count is marked.
  std::function<Samples(int y, int count)> rows;

  std::size_t count() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
           static_cast<std::size_t>(width);
  }
};

/// Which values become 0 and 1, and marks what lies outside as an outlier or as kept.
/// throws Error{bad_input} if no sample counts.
ValueRange settle_range(const SampleSource& source, SampleFormat format, const ReadOptions& options,
                        const std::filesystem::path& path, Marks& marks);

inline const ValueRange& range_of(const ImageSource& source, int channel) {
  const auto c = static_cast<std::size_t>(channel);
  return c < source.channel_ranges.size() ? source.channel_ranges[c] : source.range;
}

/// The share of the range at which a stored value lies.
inline float pixel_of(double value, const ValueRange& range) {
  // What no float holds is far outside of any range: a sentinel of a file of doubles.
  constexpr double kMost = std::numeric_limits<float>::max();
  const double pixel = (value - range.black) * (1.0 / (range.white - range.black));
  return static_cast<float>(std::clamp(pixel, -kMost, kMost));
}

}  // namespace unmar::image
