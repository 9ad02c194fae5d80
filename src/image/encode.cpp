#include "image/encode.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>

#include "base/fail.h"
#include "base/temporary_file.h"
#include "image/icc.h"
#include "image/samples.h"
#include "image/tags.h"
#include "image/vips_runtime.h"

namespace unmar::image {
namespace {

namespace fs = std::filesystem;
using vips::VImage;

constexpr int kLossless = 100;                       // a WebP quality
constexpr std::size_t kClassicTiff = 3'900'000'000;  // bytes; above, offsets need 64 bits

template <class T>
T to_sample(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    constexpr double kLeast = std::numeric_limits<T>::lowest();
    return static_cast<T>(
        std::llround(std::clamp<double>(value, kLeast, std::numeric_limits<T>::max())));
  }
}

/// The values of a channel in the units of the file. Those of the file itself where the pixel did
/// not change: a float, or a number of 32 bits, has more digits than its pixel.
std::vector<double> values_of(const Image& image, int channel, SampleFormat format) {
  const auto plane = image.plane(channel);
  const ValueRange range = range_to_write(image.source, channel, format);
  const auto& stored = image.source.stored;
  const bool remembers = format == SampleFormat::f32 && stored && stored->size() == image.count();
  const double* was =
      remembers ? stored->data() + static_cast<std::size_t>(channel) * plane.size() : nullptr;
  std::vector<double> values(plane.size());
  for (std::size_t i = 0; i < plane.size(); ++i)  // NaN is never equal
    values[i] = was && plane[i] == pixel_of(was[i], range)
                    ? was[i]
                    : range.black + static_cast<double>(plane[i]) * (range.white - range.black);
  return values;
}

/// Pixels in the order of a file, with alpha last.
template <class T>
std::vector<T> interleaved(const Image& image, SampleFormat format, bool with_alpha,
                           bool multiplied) {
  const auto channels = static_cast<std::size_t>(image.channels());
  const std::size_t bands = channels + (with_alpha ? 1 : 0);
  const std::size_t count = image.plane(0).size();
  const auto& alpha = image.source.alpha;
  std::vector<T> samples(count * bands);
  for (std::size_t c = 0; c < channels; ++c) {
    const std::vector<double> values = values_of(image, static_cast<int>(c), format);
    for (std::size_t i = 0; i < count; ++i)
      samples[i * bands + c] =
          to_sample<T>(multiplied ? values[i] * static_cast<double>(alpha[i]) : values[i]);
  }
  if (!with_alpha) return samples;
  constexpr double kOpaque =
      std::is_floating_point_v<T> ? 1. : static_cast<double>(std::numeric_limits<T>::max());
  for (std::size_t i = 0; i < count; ++i)
    samples[i * bands + channels] = to_sample<T>(kOpaque * static_cast<double>(alpha[i]));
  return samples;
}

template <class T>
constexpr VipsBandFormat kFormatOf = std::is_same_v<T, std::uint8_t>    ? VIPS_FORMAT_UCHAR
                                     : std::is_same_v<T, std::int8_t>   ? VIPS_FORMAT_CHAR
                                     : std::is_same_v<T, std::uint16_t> ? VIPS_FORMAT_USHORT
                                     : std::is_same_v<T, std::int16_t>  ? VIPS_FORMAT_SHORT
                                     : std::is_same_v<T, std::uint32_t> ? VIPS_FORMAT_UINT
                                     : std::is_same_v<T, std::int32_t>  ? VIPS_FORMAT_INT
                                     : std::is_same_v<T, double>        ? VIPS_FORMAT_DOUBLE
                                                                        : VIPS_FORMAT_FLOAT;

/// Calls body with a sample of that kind.
template <class Body>
auto with_sample(SampleKind kind, Body body) {
  switch (kind.numbers) {
    case OtherNumbers::i8:
      return body(std::int8_t{});
    case OtherNumbers::i16:
      return body(std::int16_t{});
    case OtherNumbers::u32:
      return body(std::uint32_t{});
    case OtherNumbers::i32:
      return body(std::int32_t{});
    case OtherNumbers::f64:
      return body(double{});
    case OtherNumbers::none:
      break;
  }
  switch (kind.format) {
    case SampleFormat::u8:
      return body(std::uint8_t{});
    case SampleFormat::u16:
      return body(std::uint16_t{});
    case SampleFormat::f32:
      break;
  }
  return body(float{});
}

/// Savers take their bit depth from the interpretation.
VipsInterpretation interpretation_of(const Image& image, VipsBandFormat format) {
  const bool gray = image.channels() < 3;
  return format == VIPS_FORMAT_USHORT
             ? (gray ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16)
             : (gray ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
}

/// FITS has no signed bytes.
OtherNumbers numbers_to_write(FileKind kind, OtherNumbers numbers) {
  if (kind == FileKind::tiff) return numbers;
  if (kind != FileKind::fits) return OtherNumbers::none;
  return numbers == OtherNumbers::i8 ? OtherNumbers::i16 : numbers;
}

Tag shorts_tag(std::uint16_t id, std::size_t count, std::uint16_t value) {
  Tag tag = short_tag(id, value);
  const std::string one = tag.bytes;
  while (tag.bytes.size() < count * one.size()) tag.bytes += one;
  return tag;
}

}  // namespace

SampleKind kind_to_write(FileKind kind, const Image& image, const WriteOptions& options,
                         const fs::path& path) {
  const Abilities can = abilities(kind);
  const auto holds = [&](SampleFormat format) {
    return format == SampleFormat::u8 || (format == SampleFormat::u16 ? can.u16 : can.f32);
  };
  if (options.format) {
    if (!holds(*options.format)) {
      fail(ErrorCode::bad_argument, "{}: '{}' cannot hold {} samples; use .tif", kWriteImage,
           path.string(), name_of(*options.format));
    }
    return {.format = *options.format};
  }
  const ImageSource& source = image.source;
  if (source.format == SampleFormat::f32 && can.f32)
    return {source.format, numbers_to_write(kind, source.numbers)};
  if (holds(source.format)) return {.format = source.format};
  return {.format = can.u16 ? SampleFormat::u16 : SampleFormat::u8};
}

bool is_data(const Image& image) { return image.channels() != 1 && image.channels() != 3; }

void check_channels(const Image& image, FileKind kind, const fs::path& path) {
  if (!is_data(image) || kind == FileKind::tiff || kind == FileKind::fits) return;
  fail(ErrorCode::bad_argument,
       "{}: '{}' holds gray or RGB, but the picture has {} channels; use .tif or .fits",
       kWriteImage, path.string(), image.channels());
}

void check_sides(int width, int height, FileKind kind) {
  const int limit = abilities(kind).max_side;
  if (width <= limit && height <= limit) return;
  fail(ErrorCode::bad_argument, "{}: {} files hold at most {} px on a side, got {}x{}; use .png",
       kWriteImage, name_of(kind), limit, width, height);
}

void check_picture(const Image& image, FileKind kind, const WriteOptions& options,
                   const fs::path& path) {
  if (image.empty()) {
    fail(ErrorCode::bad_argument, "{}: the picture for '{}' is empty", kWriteImage, path.string());
  }
  check_channels(image, kind, path);
  if (options.quality < 1 || options.quality > 100) {
    fail(ErrorCode::bad_argument, "{}: quality must be 1 to 100, got {}", kWriteImage,
         options.quality);
  }
  check_sides(image.width(), image.height(), kind);
  const auto& alpha = image.source.alpha;
  if (!alpha.empty() && alpha.size() != image.plane(0).size()) {
    fail(ErrorCode::bad_argument,
         "{}: alpha has {} values for {}x{} px; resize it with the picture or clear it",
         kWriteImage, alpha.size(), image.width(), image.height());
  }
  const auto bad = std::count_if(image.pixels().begin(), image.pixels().end(),
                                 [](float value) { return !std::isfinite(value); });
  if (bad > 0) {
    fail(ErrorCode::numeric, "{}: {} of {} values for '{}' are NaN or infinite", kWriteImage, bad,
         image.count(), path.string());
  }
}

std::vector<std::byte> samples_to_write(const Image& image, SampleKind kind, FileKind file) {
  return with_sample(kind, [&]<class T>(T) {
    const bool with_alpha = abilities(file).alpha && !image.source.alpha.empty();
    const bool multiplied = with_alpha && file == FileKind::tiff && image.source.multiplied;
    const std::vector<T> samples = interleaved<T>(image, kind.format, with_alpha, multiplied);
    const auto bytes = std::as_bytes(std::span(samples));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  });
}

VipsBandFormat band_format(SampleKind kind) {
  return with_sample(kind, []<class T>(T) { return kFormatOf<T>; });
}

VImage with_colours(const VImage& pixels, const Image& image, FileKind kind) {
  VImage dressed = pixels.copy(
      VImage::option()->set("interpretation", interpretation_of(image, pixels.format())));
  const auto& profile = image.source.icc_profile;
  const bool becomes_rgb = image.channels() < 3 && kind == FileKind::webp;
  if (abilities(kind).profile && !becomes_rgb && profile_fits(profile, image.channels())) {
    dressed.set(VIPS_META_ICC_NAME, static_cast<VipsCallbackFn>(nullptr),
                const_cast<std::byte*>(profile.data()), profile.size());
  }
  return dressed;
}

std::string with_pixels(const Image& image, SampleKind samples, FileKind kind,
                        const std::function<std::string(const VImage&)>& body) {
  std::vector<std::byte> bytes = samples_to_write(image, samples, kind);
  const VipsBandFormat format = band_format(samples);
  const std::size_t bands =
      bytes.size() / image.plane(0).size() / static_cast<std::size_t>(vips_format_sizeof(format));
  return body(with_colours(VImage::new_from_memory(bytes.data(), bytes.size(), image.width(),
                                                   image.height(), static_cast<int>(bands), format),
                           image, kind));
}

namespace {

vips::VOption* options_to_encode(const VImage& pixels, FileKind kind, int quality) {
  vips::VOption* options = VImage::option();
  if (kind == FileKind::jpeg) options->set("Q", quality);
  if (kind == FileKind::webp) options->set("Q", quality)->set("lossless", quality == kLossless);
  if (kind != FileKind::tiff) return options;
  const std::size_t bytes = VIPS_IMAGE_SIZEOF_IMAGE(pixels.get_image());
  options->set("bigtiff", bytes > kClassicTiff);
  if (!vips_band_format_isfloat(pixels.format()))  // noise in a mantissa does not shrink
    options->set("compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE)
        ->set("predictor", VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL);
  return options;
}

}  // namespace

std::string encoded(const VImage& pixels, FileKind kind, int quality) {
  vips::VOption* options = options_to_encode(pixels, kind, quality);
  VipsBlob* blob = kind == FileKind::png    ? pixels.pngsave_buffer(options)
                   : kind == FileKind::jpeg ? pixels.jpegsave_buffer(options)
                   : kind == FileKind::webp ? pixels.webpsave_buffer(options)
                                            : pixels.tiffsave_buffer(options);
  const std::unique_ptr<VipsArea, void (*)(VipsArea*)> owner(VIPS_AREA(blob), vips_area_unref);
  std::size_t size = 0;
  const auto* data = static_cast<const char*>(vips_blob_get(blob, &size));
  return {data, size};
}

void encode_to(const std::string& path, const VImage& pixels, FileKind kind, int quality) {
  vips::VOption* options = options_to_encode(pixels, kind, quality);
  if (kind == FileKind::png) return pixels.pngsave(path.c_str(), options);
  if (kind == FileKind::jpeg) return pixels.jpegsave(path.c_str(), options);
  if (kind == FileKind::webp) return pixels.webpsave(path.c_str(), options);
  pixels.tiffsave(path.c_str(), options);
}

std::vector<Tag> tags_of_samples(const Image& image, int bands) {
  constexpr std::uint16_t kData = 0, kMultipliedAlpha = 1, kBlackIsZero = 1;
  const bool with_alpha = bands > image.channels();
  const bool multiplied = image.source.multiplied && with_alpha;
  if (!is_data(image) && !multiplied) return {};
  if (is_data(image) && bands > 3 && !image.source.begins_with_rgb)
    return {short_tag(kPhotometric, kBlackIsZero),
            shorts_tag(kExtraSamples, static_cast<std::size_t>(bands) - 1, kData)};
  const int colours = image.channels() < 3 ? 1 : 3;
  return {shorts_tag(kExtraSamples, static_cast<std::size_t>(bands - colours),
                     multiplied ? kMultipliedAlpha : kData)};
}

const Metadata& metadata_of(const Image& image, const WriteOptions& options) {
  static const Metadata none;
  const auto& kept = image.source.metadata;
  return kept && !options.strip ? *kept : none;
}

void write_file(const fs::path& path, const std::function<std::string()>& make) {
  start_vips();
  TemporaryFile file(kWriteImage, path);
  try {
    file.write(std::as_bytes(std::span<const char>(make())));
  } catch (const vips::VError&) {
    fail(ErrorCode::io, "{}: cannot write '{}' ({}); is the disk full?", kWriteImage, path.string(),
         take_vips_error());
  }
  file.commit();
}

}  // namespace unmar::image
