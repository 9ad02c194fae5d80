#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What stands around the pixels in files that are encoded already, read and in place of what the
/// encoder put there. `exif`: what is behind "Exif\0\0"; empty: none.
namespace unmar::image {

constexpr std::size_t kMostExifInJpeg = 65'000;  ///< bytes; a segment has a length of 16 bits

/// Pixels per inch, centimetre or metre.
struct Density {
  enum class Unit : std::uint8_t { none, inch, centimetre, metre };
  std::uint32_t x = 1, y = 1;
  Unit unit = Unit::none;
};

/// Of JFIF; empty: the file does not say.
std::optional<Density> jpeg_density(std::string_view jpeg);
std::string jpeg_with(std::string_view jpeg, std::string_view exif, const Density& density);

constexpr std::string_view kXmpKeyword = "XML:com.adobe.xmp";
/// Keyword and text, which is UTF-8 or else Latin-1.
using PngTexts = std::vector<std::pair<std::string, std::string>>;
std::optional<Density> png_density(std::string_view png);
/// The frames of an animated PNG; 1 of a picture.
int png_frames(std::string_view png);
/// The chunks that say what its numbers mean as light, as they stand in the file: gAMA, cHRM, sRGB,
/// cICP.
std::string png_colour_chunks(std::string_view png);
/// Takes the bytes of a file, from its first to its last.
using Sink = std::function<void(std::string_view)>;
/// colour: such chunks.
void png_with(std::string_view png, std::string_view exif, const PngTexts& texts,
              std::string_view colour, bool with_density, const Sink& sink);

std::string webp_with(std::string_view webp, std::string_view exif, int width, int height);

}  // namespace unmar::image
