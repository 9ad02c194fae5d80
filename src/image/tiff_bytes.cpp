#include "image/tiff_bytes.h"

#include <algorithm>
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

/// Of a transparency mask. libvips copies such samples as they are; gray ones in planes it gets
/// wrong from the second row on.
constexpr std::uint32_t kNoColours = 4;

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
void undo_float_predictor(std::string& row, std::size_t samples, std::size_t size,
                          bool big_endian) {
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

/// What the predictor of integers did: differences of the bits, taken as one number.
void undo_differences(std::string& row, std::size_t samples, std::size_t size, bool big_endian) {
  for (std::size_t i = samples; i < row.size() / size; ++i) {
    const std::uint64_t sum = bits_at(row, i * size, size, big_endian) +
                              bits_at(row, (i - samples) * size, size, big_endian);
    for (std::size_t byte = 0; byte < size; ++byte)
      row[i * size + (big_endian ? size - 1 - byte : byte)] = static_cast<char>(sum >> 8 * byte);
  }
}

unsigned short twelve_bits_of(const std::string& row, std::size_t i) {
  const std::size_t at = i * 3 / 2;
  const auto first = static_cast<unsigned char>(row[at]);
  const auto second = static_cast<unsigned char>(row[at + 1]);
  return static_cast<unsigned short>(i % 2 == 0 ? first << 4 | second >> 4
                                                : (first & 15) << 8 | second);
}

/// How a row of samples lies in the bytes: in pieces, one for each tile, or one in all; planes each
/// for itself.
struct Layout {
  std::size_t planes = 1, samples = 1;  ///< samples of a pixel in each plane
  std::size_t width = 0, piece = 0;     ///< pixels of the picture, of a piece
  std::size_t piece_bytes = 0;          ///< of one plane

  std::size_t pieces() const { return (width + piece - 1) / piece; }
};

Layout layout_of(const TiffTags& tags) {
  Layout layout;
  const auto samples = static_cast<std::size_t>(tags.samples);
  layout.planes = tags.planes ? samples : 1;
  layout.samples = tags.planes ? 1 : samples;
  layout.width = static_cast<std::size_t>(tags.width);
  layout.piece = tags.tile_width > 0 ? static_cast<std::size_t>(tags.tile_width) : layout.width;
  layout.piece_bytes =
      (layout.piece * layout.samples * static_cast<std::size_t>(tags.bits) + 7) / 8;
  return layout;
}

/// A piece of a row, its predictor undone.
std::string piece_of(const std::string& row, const Layout& layout, std::size_t plane,
                     std::size_t piece, const TiffTags& tags) {
  std::string bytes(layout.piece_bytes, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = row[(piece * layout.piece_bytes + i) * layout.planes + plane];
  const auto size = static_cast<std::size_t>(tags.bits / 8);
  if (tags.predictor == 2) undo_differences(bytes, layout.samples, size, tags.big_endian);
  if (tags.predictor == 3) undo_float_predictor(bytes, layout.samples, size, tags.big_endian);
  return bytes;
}

/// sample(bytes, i): the i-th sample of a piece.
template <class Sample>
VImage picture_of(const VImage& bytes, const TiffTags& tags, VipsBandFormat format, auto sample) {
  const Layout layout = layout_of(tags);
  const std::size_t per_pixel = layout.planes * layout.samples;
  std::vector<Sample> values(layout.width * per_pixel * static_cast<std::size_t>(bytes.height()));
  auto* row_values = values.data();
  for (int y = 0; y < bytes.height(); ++y, row_values += layout.width * per_pixel) {
    const std::string row = row_of(bytes, y);
    for (std::size_t plane = 0; plane < layout.planes; ++plane)
      for (std::size_t piece = 0; piece < layout.pieces(); ++piece) {
        const std::string part = piece_of(row, layout, plane, piece, tags);
        const std::size_t first = piece * layout.piece;
        const std::size_t count = std::min(layout.piece, layout.width - first) * layout.samples;
        for (std::size_t i = 0; i < count; ++i)
          row_values[(first * layout.samples + i) * layout.planes + plane] = sample(part, i);
      }
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
  const bool packed = unusual == Unusual::twelve_bits;
  if (tags.width <= 0 || tags.samples <= 0) refuse_tiff("no samples");
  if (tags.photometric > 2) refuse_tiff("colours of such numbers are not known");
  if (packed && tags.predictor != 1) refuse_tiff("differences of 12 bits are not read");
  const Layout layout = layout_of(tags);
  // Packed samples share bytes: a pixel is a byte of any of them. Others are as many bytes each.
  const auto bands = static_cast<std::uint32_t>(packed ? layout.planes : tags.samples);
  const std::size_t per_pixel = packed ? 1 : layout.samples;
  const auto piece = static_cast<std::uint32_t>(layout.piece_bytes / per_pixel);
  const auto wide = static_cast<std::uint32_t>(layout.pieces()) * piece;
  const std::vector<TiffChange> changes = {
      {kWidth, wide},      {kTileWidth, piece}, {kSamplesPerPixel, bands},
      {kBitsPerSample, 8}, {kSampleFormat, 1},  {kPhotometric, kNoColours},
      {kExtraSamples, 0},  {kPredictor, 1}};
  change_tags({reinterpret_cast<unsigned char*>(file.data()), file.size()}, place, changes);
  const VImage bytes = load_bytes(file, place, fail_on);
  if (bytes.format() != VIPS_FORMAT_UCHAR || bytes.width() != static_cast<int>(wide) ||
      bytes.bands() != static_cast<int>(bands))
    refuse_tiff("its samples are not where they should be");
  const bool big = tags.big_endian;
  if (packed) return picture_of<unsigned short>(bytes, tags, VIPS_FORMAT_USHORT, &twelve_bits_of);
  if (unusual == Unusual::f16)
    return picture_of<float>(
        bytes, tags, VIPS_FORMAT_FLOAT, [big](const std::string& row, std::size_t i) {
          return from_half(bits_at(row, i * sizeof(short), sizeof(short), big));
        });
  return picture_of<double>(
      bytes, tags, VIPS_FORMAT_DOUBLE, [big](const std::string& row, std::size_t i) {
        return std::bit_cast<double>(bits_at(row, i * sizeof(double), sizeof(double), big));
      });
}

}  // namespace

std::optional<VImage> load_unusual_tiff(const std::filesystem::path& path, int place,
                                        VipsFailOn fail_on) {
  const auto tags = read_tiff_tags(path, place);
  if (!tags) return std::nullopt;
  const Unusual unusual = unusual_of(*tags);
  const bool gray_planes = tags->planes && tags->samples > 1 && tags->photometric <= 1;
  if (unusual == Unusual::none && !tags->has_multiplied_alpha() && !gray_planes)
    return std::nullopt;
  std::string file;
  {
    const MappedFile mapped(path);
    file = mapped.bytes();
  }
  if (unusual != Unusual::none) return load_as_bytes(file, place, *tags, unusual, fail_on);
  constexpr std::uint32_t kPlainAlpha = 2;
  std::vector<TiffChange> changes;
  if (tags->has_multiplied_alpha()) changes.push_back({kExtraSamples, kPlainAlpha});
  if (gray_planes) changes.push_back({kPhotometric, kNoColours});
  change_tags({reinterpret_cast<unsigned char*>(file.data()), file.size()}, place, changes);
  VImage picture = load_bytes(file, place, fail_on);
  if (!gray_planes) return picture;
  const bool wide = picture.format() == VIPS_FORMAT_USHORT;
  if (tags->photometric == 0 && (wide || picture.format() == VIPS_FORMAT_UCHAR))
    picture = picture.invert();
  return picture.copy(VImage::option()->set(
      "interpretation", wide ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W));
}

VImage load_stack_page(const std::filesystem::path& path, const RawStack& stack, int place,
                       VipsFailOn fail_on) {
  const MappedFile mapped(path);
  const std::string_view bytes = mapped.bytes();
  const std::uint64_t at = stack.first + static_cast<std::uint64_t>(place) * stack.page_bytes;
  if (at > bytes.size() || stack.page_bytes > bytes.size() - at)
    refuse_tiff("the data end too soon");
  std::string page(bytes.substr(0, stack.first));
  page += bytes.substr(at, stack.page_bytes);
  return load_bytes(page, 0, fail_on);
}

}  // namespace unmar::image
