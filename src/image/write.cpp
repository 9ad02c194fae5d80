#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>

#include <vips/vips8>

#include "base/fail.h"
#include "base/temporary_file.h"
#include "image/file_kind.h"
#include "image/icc.h"
#include "image/samples.h"
#include "image/tiff_tags.h"
#include "image/vips_runtime.h"
#include "unmar/image/image.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using namespace unmar::image;
using vips::VImage;

constexpr std::string_view kWriteImage = "write_image";
constexpr int kLossless = 100;                       // a WebP quality
constexpr std::size_t kClassicTiff = 3'900'000'000;  // bytes; above, offsets need 64 bits

SampleFormat format_to_write(FileKind kind, const Image& image, const WriteOptions& options,
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
    return *options.format;
  }
  if (holds(image.source.format)) return image.source.format;
  return can.u16 ? SampleFormat::u16 : SampleFormat::u8;
}

bool is_data(const Image& image) { return image.channels() != 1 && image.channels() != 3; }

void check_channels(const Image& image, FileKind kind, const fs::path& path) {
  if (!is_data(image) || kind == FileKind::tiff || kind == FileKind::fits) return;
  fail(ErrorCode::bad_argument,
       "{}: '{}' holds gray or RGB, but the picture has {} channels; use .tif or .fits",
       kWriteImage, path.string(), image.channels());
}

void check(const Image& image, FileKind kind, const WriteOptions& options, const fs::path& path) {
  if (image.empty()) {
    fail(ErrorCode::bad_argument, "{}: the picture for '{}' is empty", kWriteImage, path.string());
  }
  check_channels(image, kind, path);
  if (options.quality < 1 || options.quality > 100) {
    fail(ErrorCode::bad_argument, "{}: quality must be 1 to 100, got {}", kWriteImage,
         options.quality);
  }
  const int limit = abilities(kind).max_side;
  if (image.width() > limit || image.height() > limit) {
    fail(ErrorCode::bad_argument, "{}: {} files hold at most {} px on a side, got {}x{}; use .png",
         kWriteImage, name_of(kind), limit, image.width(), image.height());
  }
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

template <class T>
T to_sample(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    return static_cast<T>(std::lround(std::clamp<double>(value, 0, std::numeric_limits<T>::max())));
  }
}

/// Samples whose pixels did not change are written as they were: a float has more digits than its
/// pixel. NaN is never equal.
void give_back_unchanged(const Image& image, std::vector<float>& samples, std::size_t bands) {
  const auto& stored = image.source.stored;
  if (!stored || stored->size() != image.count()) return;
  const std::size_t plane = image.plane(0).size();
  const auto was = [&](std::size_t i) {
    return pixel_of((*stored)[i], range_of(image.source, static_cast<int>(i / plane)));
  };
  for (std::size_t i = 0; i < image.count(); ++i)
    if (image.pixels()[i] == was(i))
      samples[i % plane * bands + i / plane] = static_cast<float>((*stored)[i]);
}

/// Pixels in the order of a file, with alpha last.
template <class T>
std::vector<T> interleaved(const Image& image, SampleFormat format, bool with_alpha) {
  const auto channels = static_cast<std::size_t>(image.channels());
  const std::size_t bands = channels + (with_alpha ? 1 : 0);
  const std::size_t count = image.plane(0).size();
  std::vector<T> samples(count * bands);
  for (std::size_t c = 0; c < channels; ++c) {
    const auto plane = image.plane(static_cast<int>(c));
    const ValueRange range = range_to_write(image.source, static_cast<int>(c), format);
    for (std::size_t i = 0; i < count; ++i) {
      samples[i * bands + c] =
          to_sample<T>(range.black + static_cast<double>(plane[i]) * (range.white - range.black));
    }
  }
  if constexpr (std::is_floating_point_v<T>) give_back_unchanged(image, samples, bands);
  if (with_alpha) {
    const double opaque = full_range(format).white;
    for (std::size_t i = 0; i < count; ++i) {
      samples[i * bands + channels] =
          to_sample<T>(opaque * static_cast<double>(image.source.alpha[i]));
    }
  }
  return samples;
}

/// Borrows `samples`.
template <class T>
VImage wrapped(std::vector<T>& samples, const Image& image, SampleFormat format, FileKind kind) {
  const auto bands = static_cast<int>(samples.size() / image.plane(0).size());
  const VipsBandFormat vips_format = format == SampleFormat::u8    ? VIPS_FORMAT_UCHAR
                                     : format == SampleFormat::u16 ? VIPS_FORMAT_USHORT
                                                                   : VIPS_FORMAT_FLOAT;
  // Savers take their bit depth from the interpretation.
  const bool gray = image.channels() < 3;
  const VipsInterpretation interpretation =
      format == SampleFormat::u16 ? (gray ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16)
                                  : (gray ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
  VImage pixels = VImage::new_from_memory(samples.data(), samples.size() * sizeof(T), image.width(),
                                          image.height(), bands, vips_format)
                      .copy(VImage::option()->set("interpretation", interpretation));
  const auto& profile = image.source.icc_profile;
  const bool becomes_rgb = gray && kind == FileKind::webp;
  if (abilities(kind).profile && !becomes_rgb && profile_fits(profile, image.channels())) {
    pixels.set(VIPS_META_ICC_NAME, static_cast<VipsCallbackFn>(nullptr),
               const_cast<std::byte*>(profile.data()), profile.size());
  }
  return pixels;
}

using Blob = std::unique_ptr<VipsArea, void (*)(VipsArea*)>;

std::span<const std::byte> bytes_of(const Blob& blob) {
  std::size_t size = 0;
  const void* data = vips_blob_get(reinterpret_cast<VipsBlob*>(blob.get()), &size);
  return {static_cast<const std::byte*>(data), size};
}

/// Not FITS, whose library writes to named files only.
Blob encoded(const VImage& pixels, FileKind kind, int quality) {
  vips::VOption* options = VImage::option();
  VipsBlob* blob = nullptr;
  switch (kind) {
    case FileKind::png:
      blob = pixels.pngsave_buffer(options);
      break;
    case FileKind::jpeg:
      blob = pixels.jpegsave_buffer(options->set("Q", quality));
      break;
    case FileKind::webp:
      options->set("Q", quality)->set("lossless", quality == kLossless);
      blob = pixels.webpsave_buffer(options);
      break;
    case FileKind::tiff: {
      const std::size_t bytes = VIPS_IMAGE_SIZEOF_IMAGE(pixels.get_image());
      options->set("bigtiff", bytes > kClassicTiff);
      if (pixels.format() != VIPS_FORMAT_FLOAT) {  // noise in a mantissa does not shrink
        options->set("compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE)
            ->set("predictor", VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL);
      }
      blob = pixels.tiffsave_buffer(options);
      break;
    }
    case FileKind::fits:
      break;
  }
  return {VIPS_AREA(blob), vips_area_unref};
}

/// libvips calls every sample beyond the colours alpha.
void save_data_tiff(const VImage& pixels, TemporaryFile& file) {
  const Blob blob = encoded(pixels, FileKind::tiff, kLossless);
  const auto bytes = bytes_of(blob);
  std::vector<std::byte> own(bytes.begin(), bytes.end());
  declare_extra_as_data({reinterpret_cast<unsigned char*>(own.data()), own.size()});
  file.write(own);
}

void save(const VImage& pixels, FileKind kind, int quality, TemporaryFile& file, bool data) {
  if (kind == FileKind::fits)
    pixels.fitssave(file.path_for_library().c_str());
  else if (data)
    save_data_tiff(pixels, file);
  else
    file.write(bytes_of(encoded(pixels, kind, quality)));
}

/// FITS comes in blocks: at least one of header, then the pixels.
bool is_whole_fits(std::uintmax_t size, std::uintmax_t pixel_bytes) {
  constexpr std::uintmax_t kBlock = 2880;
  return size % kBlock == 0 && size / kBlock > (pixel_bytes + kBlock - 1) / kBlock;
}

/// Calls body(samples as a picture of libvips, bytes of the samples).
template <class T, class Body>
void with_pixels_of(const Image& image, SampleFormat format, FileKind kind, Body body) {
  const bool with_alpha = abilities(kind).alpha && !image.source.alpha.empty();
  std::vector<T> samples = interleaved<T>(image, format, with_alpha);
  body(wrapped(samples, image, format, kind), samples.size() * sizeof(T));
}

template <class Body>
void with_pixels(const Image& image, SampleFormat format, FileKind kind, Body body) {
  switch (format) {
    case SampleFormat::u8:
      return with_pixels_of<std::uint8_t>(image, format, kind, body);
    case SampleFormat::u16:
      return with_pixels_of<std::uint16_t>(image, format, kind, body);
    case SampleFormat::f32:
      return with_pixels_of<float>(image, format, kind, body);
  }
}

void encode_to(TemporaryFile& file, const VImage& pixels, std::size_t bytes, FileKind kind,
               int quality, const fs::path& path, bool data) {
  save(pixels, kind, quality, file, data);
  // libvips does not pass on every error of its FITS library, such as a full disk at the end.
  if (kind == FileKind::fits && !is_whole_fits(file.size(), bytes)) {
    take_vips_error();
    fail(ErrorCode::io, "{}: cannot write '{}': it came out short; is the disk full?", kWriteImage,
         path.string());
  }
}

}  // namespace

void write_image(const fs::path& path, const Image& image, const WriteOptions& options) {
  const FileKind kind = kind_of_extension(kWriteImage, path);
  const SampleFormat format = format_to_write(kind, image, options, path);
  check(image, kind, options, path);
  start_vips();
  TemporaryFile file(kWriteImage, path);
  try {
    with_pixels(image, format, kind, [&](const VImage& pixels, std::size_t bytes) {
      encode_to(file, pixels, bytes, kind, options.quality, path, is_data(image));
    });
  } catch (const vips::VError&) {
    fail(ErrorCode::io, "{}: cannot write '{}' ({}); is the disk full?", kWriteImage, path.string(),
         take_vips_error());
  }
  file.commit();
}

std::string encode_image(const Image& image, const std::string& extension,
                         const WriteOptions& options) {
  const fs::path path = "picture" + extension;
  const FileKind kind = kind_of_extension("encode_image", path);
  if (kind == FileKind::fits)
    fail(ErrorCode::bad_argument, "encode_image: FITS is written to files only; use .tif");
  const SampleFormat format = format_to_write(kind, image, options, path);
  check(image, kind, options, path);
  start_vips();
  std::string bytes;
  try {
    with_pixels(image, format, kind, [&](const VImage& pixels, std::size_t) {
      const Blob blob = encoded(pixels, kind, options.quality);
      const auto span = bytes_of(blob);
      bytes.assign(reinterpret_cast<const char*>(span.data()), span.size());
    });
  } catch (const vips::VError&) {
    fail(ErrorCode::io, "encode_image: the {} encoder failed ({})", name_of(kind),
         take_vips_error());
  }
  return bytes;
}

void check_holds(const fs::path& path, const Image& image) {
  check_channels(image, kind_of_extension(kWriteImage, path), path);
}

void check_writable(const fs::path& path) {
  kind_of_extension(kWriteImage, path);
  // Trying is the only test that is right on every file system.
  const TemporaryFile trial(kWriteImage, path);
}

}  // namespace unmar
