#include "image/meaning.h"

#include <cstdlib>
#include <string>

#include <vips/vips8>

#include "image/tiff_tags.h"

namespace unmar::image {
namespace {

/// FITS: BLANK is what stands in the file, before BSCALE and BZERO.
std::optional<double> blank_of_fits(const vips::VImage& pixels) {
  std::optional<double> blank;
  double scale = 1, zero = 0;
  const auto take = [&](const std::string& card) {
    const std::string key = card.substr(0, card.find_first_of(" ="));
    const std::size_t equals = card.find('=');
    if (equals == card.npos || (key != "BLANK" && key != "BSCALE" && key != "BZERO")) return;
    const double value = std::strtod(card.c_str() + equals + 1, nullptr);
    if (key == "BLANK") blank = value;
    if (key == "BSCALE") scale = value;
    if (key == "BZERO") zero = value;
  };
  vips_image_map(
      pixels.get_image(),
      [](VipsImage*, const char* name, GValue* value, void* body) -> void* {
        if (std::string_view(name).starts_with("fits-") &&
            G_VALUE_HOLDS(value, VIPS_TYPE_REF_STRING))
          (*static_cast<decltype(take)*>(body))(vips_value_get_ref_string(value, nullptr));
        return nullptr;
      },
      const_cast<void*>(static_cast<const void*>(&take)));
  if (!blank) return std::nullopt;
  return zero + scale * *blank;
}

}  // namespace

Meaning meaning_of(FileKind kind, const std::filesystem::path& path, int place,
                   const vips::VImage& pixels) {
  switch (kind) {
    case FileKind::fits:
      return {.blank = blank_of_fits(pixels)};
    case FileKind::tiff:
      if (const auto tags = read_tiff_tags(path, place)) {
        const bool alpha = tags->has_alpha();
        return {.has_alpha = alpha,
                .multiplied = tags->has_multiplied_alpha(),
                .begins_with_rgb = !alpha && tags->photometric == 2 && tags->samples > 3,
                .blank = tags->nodata};
      }
      return {.has_alpha = pixels.has_alpha()};
    default:
      return {.has_alpha = pixels.has_alpha()};
  }
}

}  // namespace unmar::image
