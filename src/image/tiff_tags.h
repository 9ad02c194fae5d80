#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

namespace unmar::image {

/// What libvips does not tell of a picture in a TIFF file.
struct TiffTags {
  int width = 0, tile_width = 0;  ///< 0: no tiles
  int samples = 1;                ///< per pixel
  int bits = 1, number = 1;       ///< of a sample; 1: unsigned, 2: signed, 3: float
  int photometric = 1;            ///< 0, 1: gray; 2: RGB; 3: palette; 5: CMYK; 8: Lab
  int first_extra = 0;            ///< of ExtraSamples: 0 data, 1 alpha multiplied in, 2 alpha
  int predictor = 1;              ///< 1: none, 2: differences, 3: differences of floats' bytes
  bool big_endian = false, planes = false;
  int height = 0, compression = 1;            ///< 1: none
  std::uint64_t strips = 0, first_strip = 0;  ///< how many, and where the first begins
  int imagej_images = 1;                      ///< pages that ImageJ's description tells of
  std::optional<double> nodata = {};          ///< GDAL's: the value of pixels that hold none

  /// Whether the last sample is alpha, and not one more channel.
  bool has_alpha() const;
  /// Of gray or RGB, multiplied into these.
  bool has_multiplied_alpha() const;
};

/// ImageJ writes a stack above 4 GB with one directory, that of the first page; the pixels of the
/// others stand right behind those of the first.
struct RawStack {
  int pages = 1;
  std::uint64_t first = 0, page_bytes = 0;
};
/// Nothing if the file is none.
std::optional<RawStack> read_raw_stack(const std::filesystem::path& path);

/// Of page `place`, from 0 on. Nothing if the file cannot be understood, which is for others to
/// say.
std::optional<TiffTags> read_tiff_tags(const std::filesystem::path& path, int place = 0);

/// Changes tags of page `place` of a whole file in memory, where they are: all values of `tag`
/// become `value`.
struct TiffChange {
  std::uint16_t tag;
  std::uint32_t value;
};
void change_tags(std::span<unsigned char> file, int place, std::span<const TiffChange> changes);

}  // namespace unmar::image
