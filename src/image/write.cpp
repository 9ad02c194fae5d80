#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>

#include <vips/vips8>

#include "base/fail.h"
#include "base/temporary_file.h"
#include "image/file_kind.h"
#include "image/fits_read.h"
#include "image/fits_write.h"
#include "image/icc.h"
#include "image/mapped_file.h"
#include "image/metadata_files.h"
#include "image/pages.h"
#include "image/sample_range.h"
#include "image/samples.h"
#include "image/tiff_tags.h"
#include "image/vips_runtime.h"
#include "unmar/image/image.h"
#include "unmar/image/pages.h"

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

/// By libvips, without what it does not know of the metadata.
std::string encoded(const VImage& pixels, FileKind kind, int quality) {
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
    case FileKind::gif:
    case FileKind::bmp:
    case FileKind::heif:
    case FileKind::jxl:
      break;
  }
  const std::unique_ptr<VipsArea, void (*)(VipsArea*)> owner(VIPS_AREA(blob), vips_area_unref);
  std::size_t size = 0;
  const auto* data = static_cast<const char*>(vips_blob_get(blob, &size));
  return {data, size};
}

/// libvips calls every sample beyond the colours alpha.
std::string encoded_as(const VImage& pixels, FileKind kind, const Image& image, int quality) {
  std::string file = encoded(pixels, kind, quality);
  if (kind == FileKind::tiff && is_data(image))
    declare_extra_as_data({reinterpret_cast<unsigned char*>(file.data()), file.size()});
  return file;
}

const Metadata& metadata_of(const Image& image, const WriteOptions& options) {
  static const Metadata none;
  const auto& kept = image.source.metadata;
  return kept && !options.strip ? *kept : none;
}

/// Calls body(pixels as a picture of libvips) and returns what that does.
template <class T, class Body>
std::string with_pixels_of(const Image& image, SampleFormat format, FileKind kind, Body body) {
  const bool with_alpha = abilities(kind).alpha && !image.source.alpha.empty();
  std::vector<T> samples = interleaved<T>(image, format, with_alpha);
  return body(wrapped(samples, image, format, kind));
}

template <class Body>
std::string with_pixels(const Image& image, SampleFormat format, FileKind kind, Body body) {
  switch (format) {
    case SampleFormat::u8:
      return with_pixels_of<std::uint8_t>(image, format, kind, body);
    case SampleFormat::u16:
      return with_pixels_of<std::uint16_t>(image, format, kind, body);
    case SampleFormat::f32:
      return with_pixels_of<float>(image, format, kind, body);
  }
  return {};
}

std::string file_of(const Image& image, SampleFormat format, FileKind kind,
                    const WriteOptions& options) {
  const Metadata& metadata = metadata_of(image, options);
  return with_pixels(image, format, kind, [&](const VImage& pixels) {
    if (kind == FileKind::fits) return fits_hdu(pixels, metadata, true);
    return with_metadata(
        encoded_as(with_fields(pixels, kind, metadata), kind, image, options.quality), kind,
        metadata, image.width(), image.height());
  });
}

std::string tiff_of_pages(const std::vector<Image>& pages, const fs::path& path,
                          const WriteOptions& options) {
  std::vector<std::string> files;
  for (const Image& page : pages)
    files.push_back(with_pixels(page, format_to_write(FileKind::tiff, page, options, path),
                                FileKind::tiff, [&](const VImage& pixels) {
                                  return encoded_as(pixels, FileKind::tiff, page, options.quality);
                                }));
  std::vector<TiffPage> parts;
  for (std::size_t i = 0; i < pages.size(); ++i)
    parts.push_back({files[i], tags_to_write(metadata_of(pages[i], options), FileKind::tiff,
                                             pages[i].width(), pages[i].height())});
  return to_tiff(parts);
}

/// The pictures in the places of those of `like`, if that is a FITS file of as many, else alone.
std::string fits_of_pages(const std::vector<Image>& pages, const fs::path& path,
                          const fs::path& like, const WriteOptions& options) {
  const MappedFile old(like);
  std::vector<FitsHdu> hdus = fits_hdus(old.bytes());
  const auto images = std::ranges::count_if(hdus, &FitsHdu::is_image);
  if (static_cast<std::size_t>(images) != pages.size() || options.strip) {
    hdus.assign(pages.size(), {});
    for (FitsHdu& hdu : hdus) hdu.is_image = true;
  }
  std::string file;
  auto page = pages.begin();
  for (const FitsHdu& hdu : hdus) {
    if (!hdu.is_image) {
      file += hdu.bytes;
      continue;
    }
    const SampleFormat format = format_to_write(FileKind::fits, *page, options, path);
    file += with_pixels(*page, format, FileKind::fits, [&](const VImage& pixels) {
      return fits_hdu(pixels, metadata_of(*page, options), file.empty(), hdus.size() > 1);
    });
    ++page;
  }
  return file;
}

std::string animation_of(const std::vector<Image>& frames, const fs::path& like,
                         const WriteOptions& options) {
  constexpr int kUsualTime = 100;  // ms
  const Image& first = frames.front();
  bool with_alpha = false;
  for (const Image& frame : frames) {
    if (!frame.same_size(first))
      fail(ErrorCode::bad_argument,
           "{}: the frames of an animation must be of one size, got {}x{} and {}x{}; use .tif",
           kWriteImage, first.width(), first.height(), frame.width(), frame.height());
    with_alpha = with_alpha || !frame.source.alpha.empty();
  }
  std::vector<std::uint8_t> samples;
  for (Image frame : frames) {
    if (with_alpha && frame.source.alpha.empty())
      frame.source.alpha.assign(frame.plane(0).size(), 1.f);
    const auto some = interleaved<std::uint8_t>(frame, SampleFormat::u8, with_alpha);
    samples.insert(samples.end(), some.begin(), some.end());
  }
  const int bands = first.channels() + (with_alpha ? 1 : 0);
  VImage all = VImage::new_from_memory(samples.data(), samples.size(), first.width(),
                                       first.height() * static_cast<int>(frames.size()), bands,
                                       VIPS_FORMAT_UCHAR)
                   .copy(VImage::option()->set("interpretation", first.channels() == 1
                                                                     ? VIPS_INTERPRETATION_B_W
                                                                     : VIPS_INTERPRETATION_sRGB));
  const Metadata& metadata = metadata_of(first, options);
  all = with_fields(all, FileKind::webp, metadata);
  std::error_code error;
  FrameTimes times =
      fs::exists(like, error) ? times_of(kind_of_contents(kWriteImage, like), like) : FrameTimes();
  times.milliseconds.resize(frames.size(), kUsualTime);
  all.set("page-height", first.height());
  all.set("delay", times.milliseconds);
  all.set("loop", times.loop);
  return with_metadata(encoded(all, FileKind::webp, options.quality), FileKind::webp, metadata,
                       first.width(), first.height());
}

/// Writes what `make` makes. throws Error{io}.
template <class Make>
void write_file(const fs::path& path, Make make) {
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

}  // namespace

void write_image(const fs::path& path, const Image& image, const WriteOptions& options) {
  const FileKind kind = kind_of_extension(kWriteImage, path);
  const SampleFormat format = format_to_write(kind, image, options, path);
  check(image, kind, options, path);
  write_file(path, [&] { return file_of(image, format, kind, options); });
}

void write_pages(const fs::path& path, const std::vector<Image>& given, const fs::path& like,
                 const WriteOptions& options) {
  const FileKind kind = kind_of_extension(kWriteImage, path);
  // FITS may hold more than one picture.
  if (given.size() == 1 && kind != FileKind::fits) return write_image(path, given[0], options);
  check_holds_pages(path);
  if (given.empty())
    fail(ErrorCode::bad_argument, "{}: no pages for '{}'", kWriteImage, path.string());
  std::vector<Image> pages = given;
  const int count = static_cast<int>(pages.size());
  std::error_code error;
  const bool there = fs::exists(like, error);  // else a result is not lost for it
  const bool all = there && count == count_pages(like);
  for (Image& page : pages) {
    check(page, kind, options, path);
    if (!all) page.source.metadata = for_pages(page.source.metadata, count);
  }
  write_file(path, [&] {
    return kind == FileKind::tiff   ? tiff_of_pages(pages, path, options)
           : kind == FileKind::fits ? fits_of_pages(pages, path, like, options)
                                    : animation_of(pages, like, options);
  });
}

void check_holds_pages(const fs::path& path) {
  const FileKind kind = kind_of_extension(kWriteImage, path);
  if (kind != FileKind::tiff && kind != FileKind::fits && kind != FileKind::webp)
    fail(ErrorCode::bad_argument,
         "{}: '{}' would have to hold several pictures, which {} cannot; use .tif, or take one "
         "page",
         kWriteImage, path.string(), name_of(kind));
}

std::string encode_image(const Image& image, const std::string& extension,
                         const WriteOptions& options) {
  const fs::path path = "picture" + extension;
  const FileKind kind = kind_of_extension("encode_image", path);
  const SampleFormat format = format_to_write(kind, image, options, path);
  check(image, kind, options, path);
  start_vips();
  try {
    return file_of(image, format, kind, options);
  } catch (const vips::VError&) {
    fail(ErrorCode::io, "encode_image: the {} encoder failed ({})", name_of(kind),
         take_vips_error());
  }
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
