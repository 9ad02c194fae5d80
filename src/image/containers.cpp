#include "image/containers.h"

#include <glib.h>

#include <algorithm>

namespace unmar::image {
namespace {

std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string big_endian(std::uint32_t value, int size) {
  std::string bytes;
  for (int i = size - 1; i >= 0; --i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

std::uint32_t little_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string little_endian(std::uint32_t value) {
  std::string bytes = big_endian(value, 4);
  std::ranges::reverse(bytes);
  return bytes;
}

/// The checksum of a chunk of PNG.
std::uint32_t crc32_of(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

std::string png_chunk(std::string_view name, std::string_view data) {
  const std::string body = std::string(name) + std::string(data);
  return big_endian(static_cast<std::uint32_t>(data.size()), 4) + body +
         big_endian(crc32_of(body), 4);
}

/// Calls body(its four letters, all of it) for each chunk until that returns false.
template <class Body>
void for_chunks(std::string_view png, Body body) {
  constexpr std::size_t kHead = 8, kAround = 12;
  for (std::size_t at = kHead; at + kAround <= png.size();) {
    const std::size_t size = kAround + big_endian(png, at, 4);
    if (size > png.size() - at || !body(png.substr(at + 4, 4), png.substr(at, size))) return;
    at += size;
  }
}

/// Uncompressed, as some readers know nothing else.
std::string text_chunk(const std::string& keyword, const std::string& text) {
  const bool ascii =
      std::ranges::all_of(text, [](char c) { return static_cast<signed char>(c) > 0; });
  if (keyword != kXmpKeyword &&
      (ascii || !g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr)))
    return png_chunk("tEXt", keyword + '\0' + text);
  return png_chunk("iTXt", keyword + std::string(5, '\0') + text);
}

/// Calls body(its marker, all of it) for each segment before the samples; returns where they begin.
template <class Body>
std::size_t for_segments(std::string_view jpeg, Body body) {
  std::size_t at = 2;
  while (at + 4 <= jpeg.size() && jpeg[at] == '\xff' && jpeg[at + 1] != '\xda') {
    const std::size_t size = 2 + big_endian(jpeg, at + 2, 2);
    if (size < 4 || size > jpeg.size() - at) break;
    body(jpeg[at + 1], jpeg.substr(at, size));
    at += size;
  }
  return at;
}

constexpr char kApp0 = '\xe0', kApp1 = '\xe1';
constexpr std::string_view kJfifName{"JFIF\0", 5}, kExifName{"Exif\0\0", 6};
constexpr std::size_t kJfifSize = 18;

bool is_jfif(char marker, std::string_view segment) {
  return marker == kApp0 && segment.size() >= kJfifSize && segment.substr(4).starts_with(kJfifName);
}

}  // namespace

std::optional<Density> jpeg_density(std::string_view jpeg) {
  std::optional<Density> density;
  for_segments(jpeg, [&](char marker, std::string_view segment) {
    if (density || !is_jfif(marker, segment)) return;
    const Density told{big_endian(segment, 12, 2), big_endian(segment, 14, 2),
                       segment[11] == 1 ? Density::Unit::inch : Density::Unit::centimetre};
    if ((segment[11] == 1 || segment[11] == 2) && told.x > 0 && told.y > 0) density = told;
  });
  return density;
}

std::string jpeg_with(std::string_view jpeg, std::string_view exif, const Density& density) {
  std::string out(jpeg.substr(0, 2));
  const char unit = density.unit == Density::Unit::inch         ? 1
                    : density.unit == Density::Unit::centimetre ? 2
                                                                : 0;
  out += std::string("\xff\xe0\0\x10", 4) + std::string(kJfifName) + "\1\1" + unit +
         big_endian(density.x, 2) + big_endian(density.y, 2) + std::string(2, '\0');
  if (!exif.empty())
    out += "\xff\xe1" +
           big_endian(static_cast<std::uint32_t>(2 + kExifName.size() + exif.size()), 2) +
           std::string(kExifName) + std::string(exif);
  const std::size_t end = for_segments(jpeg, [&](char marker, std::string_view segment) {
    const bool old =
        is_jfif(marker, segment) || (marker == kApp1 && segment.substr(4).starts_with(kExifName));
    if (!old) out += segment;
  });
  return out + std::string(jpeg.substr(end));
}

std::optional<Density> png_density(std::string_view png) {
  constexpr std::size_t kDensityChunk = 21;
  std::optional<Density> density;
  for_chunks(png, [&](std::string_view name, std::string_view chunk) {
    if (name == "pHYs" && chunk.size() == kDensityChunk && chunk[16] == 1)
      density = {big_endian(chunk, 8, 4), big_endian(chunk, 12, 4), Density::Unit::metre};
    return name != "IDAT";
  });
  if (density && (density->x == 0 || density->y == 0)) density.reset();
  return density;
}

int png_frames(std::string_view png) {
  constexpr std::size_t kControlChunk = 20;
  int frames = 1;
  for_chunks(png, [&](std::string_view name, std::string_view chunk) {
    if (name == "acTL" && chunk.size() == kControlChunk)
      frames = static_cast<int>(std::min<std::uint32_t>(big_endian(chunk, 8, 4), 1 << 30));
    return name != "IDAT";
  });
  return frames;
}

std::string png_colour_chunks(std::string_view png) {
  std::string chunks;
  for_chunks(png, [&](std::string_view name, std::string_view chunk) {
    if (name == "gAMA" || name == "cHRM" || name == "sRGB" || name == "cICP") chunks += chunk;
    return name != "IDAT" && name != "PLTE";
  });
  return chunks;
}

void png_with(std::string_view png, std::string_view exif, const PngTexts& texts,
              std::string_view colour, bool with_density, const Sink& sink) {
  sink(png.substr(0, 8));
  for_chunks(png, [&](std::string_view name, std::string_view chunk) {
    if (name != "eXIf" && (name != "pHYs" || with_density)) sink(chunk);
    if (name != "IHDR") return true;
    sink(colour);
    if (!exif.empty()) sink(png_chunk("eXIf", exif));
    for (const auto& [keyword, text] : texts) sink(text_chunk(keyword, text));
    return true;
  });
}

std::string webp_with(std::string_view webp, std::string_view exif, int width, int height) {
  constexpr std::size_t kHead = 12;
  constexpr char kHasExif = 0x08, kHasAlpha = 0x10;
  bool alpha = false;
  std::string out(webp.substr(0, kHead));
  bool extended = false;
  for (std::size_t at = kHead; at + 8 <= webp.size();) {
    const std::size_t size = 8 + (std::size_t{little_endian(webp, at + 4)} + 1) / 2 * 2;
    if (size > webp.size() - at) return std::string(webp);
    std::string chunk(webp.substr(at, size));
    at += size;
    if (chunk.starts_with("EXIF")) continue;
    if (chunk.starts_with("VP8X") && chunk.size() > 8) {
      extended = true;
      chunk[8] = static_cast<char>(exif.empty() ? chunk[8] & ~kHasExif : chunk[8] | kHasExif);
    }
    // The lossless kind says in its head whether there is alpha.
    if (chunk.starts_with("VP8L") && chunk.size() > 13) alpha = (chunk[12] & 0x10) != 0;
    out += chunk;
  }
  if (!extended && !exif.empty()) {
    std::string head = "VP8X" + little_endian(10) +
                       static_cast<char>(alpha ? kHasAlpha | kHasExif : kHasExif) +
                       std::string(3, '\0');
    for (const int side : {width, height})
      head += little_endian(static_cast<std::uint32_t>(side - 1)).substr(0, 3);
    out.insert(kHead, head);
  }
  if (!exif.empty()) {
    out += "EXIF" + little_endian(static_cast<std::uint32_t>(exif.size())) + std::string(exif);
    if (exif.size() % 2 != 0) out += '\0';
  }
  out.replace(4, 4, little_endian(static_cast<std::uint32_t>(out.size() - 8)));
  return out;
}

}  // namespace unmar::image
