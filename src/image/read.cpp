#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <vips/vips8>

#include "base/fail.h"
#include "image/file_kind.h"
#include "image/fits_read.h"
#include "image/icc.h"
#include "image/mapped_file.h"
#include "image/metadata_files.h"
#include "image/pages.h"
#include "image/sample_range.h"
#include "image/vips_runtime.h"
#include "unmar/image/image.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using namespace unmar::image;
using vips::VImage;

constexpr std::string_view kReadImage = "read_image";

/// Opened, not decoded.
struct Picture {
  int place = 0;     ///< of the page in the file, from 0 on
  VImage opened;     ///< as it came, for its metadata
  VImage pixels;     ///< gray or RGB, perhaps with alpha
  int channels = 0;  ///< 1 or 3
  bool has_alpha = false;
  bool turned = false;  ///< width and height swap when EXIF orientation is applied
  SampleFormat format = SampleFormat::u8;
};

/// place: that of the page, from 0 on.
VImage load(FileKind kind, const fs::path& path, int place) {
  // Each loader by name: the general one takes "[...]" at the end of a name for options.
  // Sequential access decodes once, straight to memory.
  vips::VOption* options =
      VImage::option()->set("access", VIPS_ACCESS_SEQUENTIAL)->set("fail_on", VIPS_FAIL_ON_ERROR);
  switch (kind) {
    case FileKind::png:
      return VImage::pngload(path.c_str(), options);
    case FileKind::tiff:
      return VImage::tiffload(path.c_str(), options->set("page", place));
    case FileKind::jpeg:
      return VImage::jpegload(path.c_str(), options);
    case FileKind::webp:
      return VImage::webpload(path.c_str(), options->set("page", place));
    case FileKind::fits:
      if (place > 0) {  // libvips knows the first image only
        delete options;
        const MappedFile file(path);
        return load_hdu(fits_hdus(file.bytes()).at(static_cast<std::size_t>(place)));
      }
      return VImage::fitsload(path.c_str(), options);
  }
  return {};
}

/// CMYK, Lab and the like as sRGB; gray and RGB untouched.
VImage with_plain_colours(const VImage& pixels) {
  switch (pixels.interpretation()) {
    case VIPS_INTERPRETATION_CMYK:
      if (pixels.get_typeof(VIPS_META_ICC_NAME) != 0) {
        return pixels.icc_transform("srgb", VImage::option()->set("embedded", true));
      }
      [[fallthrough]];
    case VIPS_INTERPRETATION_LAB:
    case VIPS_INTERPRETATION_LABQ:
    case VIPS_INTERPRETATION_LABS:
    case VIPS_INTERPRETATION_LCH:
    case VIPS_INTERPRETATION_CMC:
    case VIPS_INTERPRETATION_XYZ:
    case VIPS_INTERPRETATION_YXY:
    case VIPS_INTERPRETATION_HSV:
      return pixels.colourspace(VIPS_INTERPRETATION_sRGB);
    default:
      return pixels;
  }
}

SampleFormat format_of(const VImage& pixels) {
  switch (pixels.format()) {
    case VIPS_FORMAT_UCHAR:
      return SampleFormat::u8;
    case VIPS_FORMAT_USHORT:
      return SampleFormat::u16;
    default:
      return SampleFormat::f32;
  }
}

Picture open_picture(FileKind kind, const fs::path& path, int page, double max_megapixels) {
  Picture picture;
  picture.place = place_of_page(kReadImage, kind, path, page);
  picture.opened = picture.pixels = load(kind, path, picture.place);
  const int width = picture.pixels.width(), height = picture.pixels.height();
  const double megapixels = 1e-6 * width * height;
  if (megapixels > max_megapixels) {
    fail(ErrorCode::too_large,
         "{}: '{}' is {}x{} px ({:.4g} Mpx), above the limit of {:.4g} Mpx; raise it with "
         "--max-pixels",
         kReadImage, path.string(), width, height, megapixels, max_megapixels);
  }
  if (vips_band_format_iscomplex(picture.pixels.format())) {
    fail(ErrorCode::bad_input, "{}: '{}' holds complex numbers; save their magnitude instead",
         kReadImage, path.string());
  }
  picture.pixels = with_plain_colours(picture.pixels);
  picture.has_alpha = picture.pixels.has_alpha();
  picture.channels = picture.pixels.bands() - (picture.has_alpha ? 1 : 0);
  if (picture.channels != 1 && picture.channels != 3) {
    fail(ErrorCode::bad_input,
         "{}: '{}' has {} channels; only gray and RGB can be read, so split it", kReadImage,
         path.string(), picture.channels);
  }
  picture.format = format_of(picture.pixels);
  if (picture.pixels.get_typeof(VIPS_META_ORIENTATION) != 0) {
    picture.turned = picture.pixels.get_int(VIPS_META_ORIENTATION) >= 5;
  }
  return picture;
}

/// Calls body with a typed pointer to interleaved samples.
template <class Body>
void with_samples(const VImage& pixels, Body body) {
  const void* data = pixels.data();
  switch (pixels.format()) {
    case VIPS_FORMAT_UCHAR:
      return body(static_cast<const unsigned char*>(data));
    case VIPS_FORMAT_CHAR:
      return body(static_cast<const signed char*>(data));
    case VIPS_FORMAT_USHORT:
      return body(static_cast<const unsigned short*>(data));
    case VIPS_FORMAT_SHORT:
      return body(static_cast<const short*>(data));
    case VIPS_FORMAT_UINT:
      return body(static_cast<const unsigned int*>(data));
    case VIPS_FORMAT_INT:
      return body(static_cast<const int*>(data));
    case VIPS_FORMAT_FLOAT:
      return body(static_cast<const float*>(data));
    case VIPS_FORMAT_DOUBLE:
      return body(static_cast<const double*>(data));
    default:
      return;  // complex was refused
  }
}

/// throws Error{bad_input} for NaN and infinity.
template <class T>
Extent extent_of(const T* samples, std::size_t count, std::size_t bands, std::size_t channels,
                 const fs::path& path) {
  Extent extent{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  std::size_t bad = 0;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < channels; ++c) {
      const auto value = static_cast<double>(samples[i * bands + c]);
      if (!std::isfinite(value)) {
        ++bad;
        continue;
      }
      extent.low = std::min(extent.low, value);
      extent.high = std::max(extent.high, value);
    }
  }
  if (bad > 0) {
    fail(ErrorCode::bad_input,
         "{}: '{}' has {} NaN or infinite values of {}; replace them (by 0, say) and mark them as "
         "missing in a mask",
         kReadImage, path.string(), bad, count * channels);
  }
  return extent;
}

template <class T>
void fill(Image& image, const T* samples, std::size_t bands) {
  const double black = image.source.range.black;
  const double scale = 1.0 / (image.source.range.white - black);
  const auto channels = static_cast<std::size_t>(image.channels());
  for (std::size_t c = 0; c < channels; ++c) {
    const auto plane = image.plane(static_cast<int>(c));
    for (std::size_t i = 0; i < plane.size(); ++i) {
      plane[i] = static_cast<float>((static_cast<double>(samples[i * bands + c]) - black) * scale);
    }
  }
  if (bands == channels) return;
  const double opaque = full_range(image.source.format).white;
  image.source.alpha.resize(image.plane(0).size());
  for (std::size_t i = 0; i < image.source.alpha.size(); ++i) {
    const double alpha = static_cast<double>(samples[i * bands + channels]) / opaque;
    // In this order NaN becomes 0.
    image.source.alpha[i] = static_cast<float>(std::min(1.0, std::max(0.0, alpha)));
  }
}

std::vector<std::byte> profile_of(const VImage& pixels, int channels) {
  if (pixels.get_typeof(VIPS_META_ICC_NAME) == 0) return {};
  std::size_t size = 0;
  const auto* data = static_cast<const std::byte*>(pixels.get_blob(VIPS_META_ICC_NAME, &size));
  std::vector<std::byte> profile(data, data + size);
  if (!profile_fits(profile, channels)) profile.clear();
  return profile;
}

/// Runs body, whose libvips errors mean that the file is broken.
template <class Body>
auto reading(const fs::path& path, Body body) {
  try {
    return body();
  } catch (const vips::VError&) {
    fail(ErrorCode::bad_input, "{}: '{}' is damaged, cut short or of an unusual kind ({})",
         kReadImage, path.string(), take_vips_error());
  }
}

Image decoded(Picture picture, FileKind kind, const fs::path& path, const ReadOptions& options) {
  const SharedMetadata metadata = read_metadata(picture.opened, kind, path, picture.place);
  VImage pixels = picture.pixels.copy_memory();
  if (kind == FileKind::fits && metadata && is_top_down(metadata->cards))
    pixels = pixels.flip(VIPS_DIRECTION_VERTICAL).copy_memory();
  if (pixels.get_typeof(VIPS_META_ORIENTATION) != 0) pixels = pixels.autorot().copy_memory();
  Image image(picture.channels, pixels.height(), pixels.width());
  image.source.format = picture.format;
  image.source.icc_profile = profile_of(pixels, picture.channels);
  image.source.metadata = metadata;
  const auto bands = static_cast<std::size_t>(pixels.bands());
  with_samples(pixels, [&](const auto* samples) {
    const Extent extent = extent_of(samples, image.plane(0).size(), bands,
                                    static_cast<std::size_t>(image.channels()), path);
    image.source.range =
        options.fixed_range.value_or(choose_range(options.range, picture.format, extent));
    fill(image, samples, bands);
  });
  return image;
}

}  // namespace

Image read_image(const fs::path& path, const ReadOptions& options) {
  if (const auto& range = options.fixed_range) {
    if (!std::isfinite(range->black) || !std::isfinite(range->white) ||
        range->white <= range->black) {
      fail(ErrorCode::bad_argument, "{}: fixed_range needs black < white, got {} and {}",
           kReadImage, range->black, range->white);
    }
  }
  start_vips();
  const FileKind kind = kind_of_contents(kReadImage, path);
  return reading(path, [&] {
    return decoded(open_picture(kind, path, options.page, options.max_megapixels), kind, path,
                   options);
  });
}

ImageInfo read_image_info(const fs::path& path, int page) {
  start_vips();
  const FileKind kind = kind_of_contents(kReadImage, path);
  return reading(path, [&] {
    const Picture picture = open_picture(kind, path, page, std::numeric_limits<double>::infinity());
    ImageInfo info;
    info.channels = picture.channels;
    info.height = picture.turned ? picture.pixels.width() : picture.pixels.height();
    info.width = picture.turned ? picture.pixels.height() : picture.pixels.width();
    info.format = picture.format;
    info.has_alpha = picture.has_alpha;
    info.has_icc_profile = !profile_of(picture.pixels, picture.channels).empty();
    info.loader = std::string(name_of(kind));
    return info;
  });
}

}  // namespace unmar
