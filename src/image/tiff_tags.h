#pragma once

#include <filesystem>
#include <optional>
#include <span>

namespace unmar::image {

/// What libvips does not tell of the first picture in a TIFF file.
struct TiffTags {
  int samples = 1;                    ///< per pixel
  int photometric = 1;                ///< 0, 1: gray; 2: RGB; 3: palette; 5: CMYK; 8: Lab
  int first_extra = 0;                ///< of ExtraSamples: 0 data, 1 and 2 alpha
  std::optional<double> nodata = {};  ///< GDAL's: the value of pixels that hold none

  /// Whether the last sample is alpha, and not one more channel.
  bool has_alpha() const;
};

/// Nothing if the file cannot be understood, which is for others to say.
std::optional<TiffTags> read_tiff_tags(const std::filesystem::path& path);

/// Says of a whole file in memory that samples beyond the colours are data.
void declare_extra_as_data(std::span<unsigned char> file);

}  // namespace unmar::image
