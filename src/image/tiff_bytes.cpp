#include "image/tiff_bytes.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "image/mapped_file.h"
#include "image/tags.h"
#include "image/tiff_tags.h"

namespace unmar::image {
namespace {

using vips::VImage;

enum class Unusual { none, f64, f16, twelve_bits };

Unusual unusual_of(const TiffTags& tags) {
  constexpr int kUnsigned = 1, kFloat = 3;
  if (tags.bits == 64 && tags.number == kFloat) return Unusual::f64;
  if (tags.bits == 16 && tags.number == kFloat) return Unusual::f16;
  if (tags.bits == 12 && tags.number == kUnsigned) return Unusual::twelve_bits;
  return Unusual::none;
}

[[noreturn]] void refuse_tiff(const char* why) {
  vips_error("tiff", "%s", why);
  throw vips::VError();
}

/// Decodes a file of which it was said that its samples are bytes.
VImage load_bytes(const std::string& file, int place, VipsFailOn fail_on) {
  VipsBlob* blob = vips_blob_new(nullptr, file.data(), file.size());
  const std::unique_ptr<VipsArea, void (*)(VipsArea*)> owner(VIPS_AREA(blob), vips_area_unref);
  return VImage::tiffload_buffer(blob,
                                 VImage::option()->set("page", place)->set("fail_on", fail_on))
      .copy_memory();
}

std::string row_of(const VImage& bytes, int y) {
  const auto count =
      static_cast<std::size_t>(bytes.bands()) * static_cast<std::size_t>(bytes.width());
  const auto* data = static_cast<const char*>(bytes.data());
  return {data + static_cast<std::size_t>(y) * count, count};
}

/// What the predictor of floats did: differences of bytes, those of one weight side by side.
void undo_predictor(std::string& row, std::size_t samples, std::size_t size, bool big_endian) {
  for (std::size_t i = samples; i < row.size(); ++i)
    row[i] = static_cast<char>(row[i] + row[i - samples]);
  const std::string apart = row;
  const std::size_t count = row.size() / size;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t byte = 0; byte < size; ++byte)
      row[i * size + (big_endian ? byte : size - 1 - byte)] = apart[byte * count + i];
}

std::uint64_t bits_at(const std::string& row, std::size_t at, std::size_t size, bool big_endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 | static_cast<unsigned char>(row[at + (big_endian ? i : size - 1 - i)]);
  return value;
}

float from_half(std::uint64_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const auto fraction = static_cast<float>(bits & 1023);
  const float sign = bits >> 15 & 1 ? -1.f : 1.f;
  if (exponent == 31) return fraction > 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024.f + fraction, exponent - 25);
}

unsigned short twelve_bits_of(const std::string& row, std::size_t i) {
  const std::size_t at = i * 3 / 2;
  const auto first = static_cast<unsigned char>(row[at]);
  const auto second = static_cast<unsigned char>(row[at + 1]);
  return static_cast<unsigned short>(i % 2 == 0 ? first << 4 | second >> 4
                                                : (first & 15) << 8 | second);
}

template <class Sample>
VImage picture_of(const VImage& bytes, const TiffTags& tags, VipsBandFormat format,
                  std::size_t size, auto sample) {
  const auto samples = static_cast<std::size_t>(tags.samples);
  const std::size_t per_row = static_cast<std::size_t>(tags.width) * samples;
  std::vector<Sample> values(per_row * static_cast<std::size_t>(bytes.height()));
  for (int y = 0; y < bytes.height(); ++y) {
    std::string row = row_of(bytes, y);
    if (tags.predictor == 3) undo_predictor(row, samples, size, tags.big_endian);
    for (std::size_t i = 0; i < per_row; ++i)
      values[static_cast<std::size_t>(y) * per_row + i] = sample(row, i);
  }
  const bool gray = tags.samples < 3, wide = format == VIPS_FORMAT_USHORT;
  const auto interpretation = wide ? (gray ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16)
                                   : (gray ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
  const VImage borrowed = VImage::new_from_memory(values.data(), values.size() * sizeof(Sample),
                                                  tags.width, bytes.height(), tags.samples, format);
  VImage picture =
      borrowed.copy(VImage::option()->set("interpretation", interpretation)).copy_memory();
  for (const char* name :
       {VIPS_META_ICC_NAME, VIPS_META_XMP_NAME, VIPS_META_IPTC_NAME, VIPS_META_PHOTOSHOP_NAME})
    if (bytes.get_typeof(name) != 0) {
      GValue value{};
      vips_image_get(bytes.get_image(), name, &value);
      vips_image_set(picture.get_image(), name, &value);
      g_value_unset(&value);
    }
  if (bytes.get_typeof(VIPS_META_ORIENTATION) != 0)
    picture.set(VIPS_META_ORIENTATION, bytes.get_int(VIPS_META_ORIENTATION));
  return picture;
}

VImage load_as_bytes(std::string& file, int place, const TiffTags& tags, Unusual unusual,
                     VipsFailOn fail_on) {
  constexpr std::uint32_t kBlackIsZero = 1;
  const bool packed = unusual == Unusual::twelve_bits;
  const auto size = static_cast<std::size_t>(tags.bits / 8);
  const auto samples = static_cast<std::uint32_t>(tags.samples);
  if (tags.width <= 0 || tags.samples <= 0) refuse_tiff("no samples");
  if (tags.photometric > 2) refuse_tiff("colours of such numbers are not known");
  if (tags.planes) refuse_tiff("such numbers in planes are not read");
  if (packed && (tags.tile_width > 0 || tags.predictor != 1))
    refuse_tiff("12 bits in tiles or differences are not read");
  if (tags.predictor == 2 || (tags.predictor == 3 && tags.tile_width > 0))
    refuse_tiff("such numbers as differences are not read");
  const auto width = static_cast<std::uint32_t>(tags.width);
  const auto scale = static_cast<std::uint32_t>(size);
  const std::uint32_t wide = packed ? (width * samples * 12 + 7) / 8 : width * scale;
  const std::vector<TiffChange> changes = {
      {kWidth, wide},
      {kTileWidth, static_cast<std::uint32_t>(tags.tile_width) * scale},
      {kSamplesPerPixel, packed ? 1 : samples},
      {kBitsPerSample, 8},
      {kSampleFormat, 1},
      {kPhotometric, kBlackIsZero},
      {kExtraSamples, 0},
      {kPredictor, 1}};
  change_tags({reinterpret_cast<unsigned char*>(file.data()), file.size()}, place, changes);
  const VImage bytes = load_bytes(file, place, fail_on);
  if (bytes.format() != VIPS_FORMAT_UCHAR || bytes.width() != static_cast<int>(wide) ||
      bytes.bands() != (packed ? 1 : tags.samples))
    refuse_tiff("its samples are not where they should be");
  const bool big = tags.big_endian;
  if (packed)
    return picture_of<unsigned short>(bytes, tags, VIPS_FORMAT_USHORT, 1, &twelve_bits_of);
  if (unusual == Unusual::f16)
    return picture_of<float>(
        bytes, tags, VIPS_FORMAT_FLOAT, size, [big](const std::string& row, std::size_t i) {
          return from_half(bits_at(row, i * sizeof(short), sizeof(short), big));
        });
  return picture_of<double>(
      bytes, tags, VIPS_FORMAT_DOUBLE, size, [big](const std::string& row, std::size_t i) {
        return std::bit_cast<double>(bits_at(row, i * sizeof(double), sizeof(double), big));
      });
}

}  // namespace

std::optional<VImage> load_unusual_tiff(const std::filesystem::path& path, int place,
                                        VipsFailOn fail_on) {
  const auto tags = read_tiff_tags(path, place);
  if (!tags) return std::nullopt;
  const Unusual unusual = unusual_of(*tags);
  if (unusual == Unusual::none && !tags->has_multiplied_alpha()) return std::nullopt;
  std::string file;
  {
    const MappedFile mapped(path);
    file = mapped.bytes();
  }
  if (unusual != Unusual::none) return load_as_bytes(file, place, *tags, unusual, fail_on);
  constexpr std::uint32_t kPlainAlpha = 2;
  const TiffChange change{kExtraSamples, kPlainAlpha};
  change_tags({reinterpret_cast<unsigned char*>(file.data()), file.size()}, place, {&change, 1});
  return load_bytes(file, place, fail_on);
}

}  // namespace unmar::image
