#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include <vips/vips8>

#include "base/fail.h"
#include "image/file_kind.h"
#include "image/fits_read.h"
#include "image/icc.h"
#include "image/mapped_file.h"
#include "image/meaning.h"
#include "image/metadata_files.h"
#include "image/pages.h"
#include "image/reading.h"
#include "image/sample_range.h"
#include "image/samples.h"
#include "image/tiff_bytes.h"
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
  int channels = 0;  ///< beside alpha
  Meaning meaning;
  bool turned = false;  ///< width and height swap when EXIF orientation is applied
  SampleFormat format = SampleFormat::u8;
};

/// place: that of the page, from 0 on. lenient: takes what there is of a file that ends too soon.
VImage load(FileKind kind, const fs::path& path, int place, bool lenient) {
  // Each loader by name: the general one takes "[...]" at the end of a name for options.
  // Sequential access decodes once, straight to memory.
  const VipsFailOn fail_on = lenient ? VIPS_FAIL_ON_NONE : VIPS_FAIL_ON_ERROR;
  if (kind == FileKind::tiff)
    if (auto unusual = load_unusual_tiff(path, place, fail_on)) return *unusual;
  vips::VOption* options =
      VImage::option()->set("access", VIPS_ACCESS_SEQUENTIAL)->set("fail_on", fail_on);
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
    case FileKind::gif:
      return VImage::gifload(path.c_str(), options->set("page", place));
    case FileKind::bmp: {  // from memory: ImageMagick reads more into a name than a name
      const MappedFile file(path);
      VipsBlob* bytes = vips_blob_copy(file.bytes().data(), file.bytes().size());
      const VImage image = VImage::magickload_buffer(bytes, options).copy_memory();
      vips_area_unref(VIPS_AREA(bytes));
      return image;
    }
    case FileKind::heif:
    case FileKind::jxl:
      return VImage::new_from_source(vips::VSource::new_from_file(path.c_str()), "", options);
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

OtherNumbers numbers_of(const VImage& pixels) {
  switch (pixels.format()) {
    case VIPS_FORMAT_CHAR:
      return OtherNumbers::i8;
    case VIPS_FORMAT_SHORT:
      return OtherNumbers::i16;
    case VIPS_FORMAT_UINT:
      return OtherNumbers::u32;
    case VIPS_FORMAT_INT:
      return OtherNumbers::i32;
    case VIPS_FORMAT_DOUBLE:
      return OtherNumbers::f64;
    default:
      return OtherNumbers::none;
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

Picture open_picture(FileKind kind, const fs::path& path, int page, double max_megapixels,
                     bool lenient = false) {
  Picture picture;
  picture.place = place_of_page(kReadImage, kind, path, page);
  picture.opened = picture.pixels = load(kind, path, picture.place, lenient);
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
  picture.meaning = meaning_of(kind, path, picture.place, picture.pixels);
  picture.pixels = with_plain_colours(picture.pixels);
  picture.channels = picture.pixels.bands() - (picture.meaning.has_alpha ? 1 : 0);
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

/// Planar, with what is no number marked as missing.
template <class T>
Samples samples_of(const T* interleaved, std::size_t bands, const Image& image,
                   const std::optional<double>& blank) {
  Samples samples{image.channels(), image.height(), image.width(), {}, {}, {}};
  samples.values.resize(image.count());
  const std::size_t plane = samples.plane();
  for (std::size_t i = 0; i < samples.values.size(); ++i) {
    const auto value = static_cast<double>(interleaved[i % plane * bands + i / plane]);
    samples.values[i] = value;
    if (!std::isfinite(value) || value == blank) samples.mark(i, SampleUse::missing);
  }
  return samples;
}

/// Colours as they are without alpha, which had been multiplied into them.
void divide_by_alpha(Samples& samples, std::span<const float> alpha) {
  for (std::size_t i = 0; i < samples.values.size(); ++i)
    if (const float a = alpha[i % samples.plane()]; a > 0.f)
      samples.values[i] /= static_cast<double>(a);
}

/// What `known` discards, and what tells nothing of the range.
void apply_known(Samples& samples, const Image* known, std::span<const float> alpha) {
  const std::size_t plane = samples.plane();
  if (known) {
    samples.uncounted.resize(plane);
    for (std::size_t i = 0; i < samples.values.size(); ++i) {
      const float weight = known->pixels()[i % plane];
      if (!(weight > 0.f)) samples.mark(i, SampleUse::discarded);
      if (weight < 1.f) samples.uncounted[i % plane] = true;
    }
  }
  if (std::ranges::none_of(alpha, [](float a) { return a <= 0.f; })) return;
  if (std::ranges::all_of(alpha, [](float a) { return a <= 0.f; })) return;  // no news at all
  samples.uncounted.resize(plane);
  for (std::size_t i = 0; i < plane; ++i)
    if (alpha[i] <= 0.f) samples.uncounted[i] = true;
}

void check_missing(const Samples& samples, double most, const fs::path& path) {
  const auto count = static_cast<std::size_t>(std::ranges::count(samples.use, SampleUse::missing));
  const auto all = static_cast<double>(samples.values.size());
  if (static_cast<double>(count) <= most * all) return;
  const bool none = most <= 0;
  fail(ErrorCode::bad_input, "{}: '{}' has {} NaN or infinite values of {}{}", kReadImage,
       path.string(), count, samples.values.size(),
       none ? "; replace them (by 0, say) and mark them as missing in a mask"
            : fmt::format(", more than {:.0f} % of them; there is too little to fill them from",
                          100 * most));
}

/// Eight bits in their whole range.
template <class T>
void fill(Image& image, const T* samples, std::size_t bands) {
  const auto channels = static_cast<std::size_t>(image.channels());
  for (std::size_t c = 0; c < channels; ++c) {
    const auto plane = image.plane(static_cast<int>(c));
    for (std::size_t i = 0; i < plane.size(); ++i)
      plane[i] = pixel_of(static_cast<double>(samples[i * bands + c]), image.source.range);
  }
}

template <class T>
void fill_alpha(Image& image, const T* samples, std::size_t bands) {
  const auto channels = static_cast<std::size_t>(image.channels());
  if (bands == channels) return;
  const double opaque = opaque_value(image.source);
  image.source.alpha.resize(image.plane(0).size());
  for (std::size_t i = 0; i < image.source.alpha.size(); ++i) {
    const double alpha = static_cast<double>(samples[i * bands + channels]) / opaque;
    // In this order NaN becomes 0.
    image.source.alpha[i] = static_cast<float>(std::min(1.0, std::max(0.0, alpha)));
  }
}

/// Whether nothing can be marked, so that the samples need not be looked at before.
bool is_plain(const Picture& picture, const ReadOptions& options, const Image* known) {
  const bool automatic =
      options.range != RangeMode::data && !options.percentiles && !options.fixed_range;
  return picture.format == SampleFormat::u8 && automatic && !known && !picture.meaning.blank &&
         !picture.meaning.multiplied;
}

/// Makes pixels of them and keeps what is to be known beside.
void take_samples(Image& image, Samples samples) {
  for (std::size_t i = 0; i < samples.values.size(); ++i)
    image.pixels()[i] =
        pixel_of(samples.values[i], range_of(image.source, static_cast<int>(i / samples.plane())));
  if (std::ranges::any_of(samples.use, [](SampleUse use) { return use != SampleUse::used; })) {
    for (std::size_t i = 0; i < samples.use.size(); ++i)
      if (samples.use[i] == SampleUse::missing || samples.use[i] == SampleUse::discarded)
        image.pixels()[i] = 0.f;
    image.source.use = std::make_shared<const std::vector<SampleUse>>(std::move(samples.use));
  }
  if (image.source.format == SampleFormat::f32)
    image.source.stored = std::make_shared<const std::vector<double>>(std::move(samples.values));
}

std::vector<std::byte> profile_of(const VImage& pixels, int channels) {
  if (pixels.get_typeof(VIPS_META_ICC_NAME) == 0) return {};
  std::size_t size = 0;
  const auto* data = static_cast<const std::byte*>(pixels.get_blob(VIPS_META_ICC_NAME, &size));
  std::vector<std::byte> profile(data, data + size);
  if (!profile_fits(profile, channels)) profile.clear();
  return profile;
}

/// Channels that are no colours have nothing to do with each other: each has its own range.
void settle_ranges(ImageSource& source, Samples& samples, ReadOptions options,
                   const fs::path& path) {
  if (samples.channels == 1 || samples.channels == 3 || source.format == SampleFormat::u8) {
    source.range = settle_range(samples, source.format, options, path);
    return;
  }
  const std::size_t plane = samples.plane();
  const std::vector<ValueRange> given = std::move(options.channel_ranges);
  for (int c = 0; c < samples.channels; ++c) {
    const std::size_t first = static_cast<std::size_t>(c) * plane;
    Samples one{1, samples.height, samples.width, {}, {}, samples.uncounted};
    one.values.assign(samples.values.begin() + static_cast<std::ptrdiff_t>(first),
                      samples.values.begin() + static_cast<std::ptrdiff_t>(first + plane));
    for (std::size_t i = 0; i < plane; ++i)
      if (samples.use_of(first + i) != SampleUse::used) one.mark(i, samples.use_of(first + i));
    if (given.size() > static_cast<std::size_t>(c))
      options.fixed_range = given[static_cast<std::size_t>(c)];
    source.channel_ranges.push_back(settle_range(one, source.format, options, path));
    for (std::size_t i = 0; i < one.use.size(); ++i)
      if (one.use[i] != SampleUse::used) samples.mark(first + i, one.use[i]);
  }
  source.range = source.channel_ranges.front();
}

void check_known_size(const Image& picture, const Image* known, const fs::path& path) {
  if (!known || (known->width() == picture.width() && known->height() == picture.height())) return;
  fail(ErrorCode::bad_input,
       "{}: the mask is {}x{} px but the picture '{}' is {}x{} px; give a mask of the same size",
       kReadImage, known->width(), known->height(), path.string(), picture.width(),
       picture.height());
}

Image decoded(Picture picture, FileKind kind, const fs::path& path, const ReadOptions& options,
              const Image* known) {
  const SharedMetadata metadata = read_metadata(picture.opened, kind, path, picture.place);
  VImage pixels = picture.pixels.copy_memory();
  if (kind == FileKind::fits && metadata && is_top_down(metadata->cards))
    pixels = pixels.flip(VIPS_DIRECTION_VERTICAL).copy_memory();
  if (pixels.get_typeof(VIPS_META_ORIENTATION) != 0) pixels = pixels.autorot().copy_memory();
  Image image(picture.channels, pixels.height(), pixels.width());
  check_known_size(image, known, path);
  image.source.format = picture.format;
  image.source.numbers = numbers_of(picture.pixels);
  image.source.multiplied = picture.meaning.multiplied;
  image.source.begins_with_rgb = picture.meaning.begins_with_rgb;
  image.source.icc_profile = profile_of(pixels, picture.channels);
  image.source.metadata = metadata;
  const auto bands = static_cast<std::size_t>(pixels.bands());
  with_samples(pixels, [&](const auto* interleaved) {
    fill_alpha(image, interleaved, bands);
    if (is_plain(picture, options, known)) {
      image.source.range = full_range(picture.format);
      return fill(image, interleaved, bands);
    }
    Samples samples = samples_of(interleaved, bands, image, picture.meaning.blank);
    if (picture.meaning.multiplied) divide_by_alpha(samples, image.source.alpha);
    apply_known(samples, known, image.source.alpha);
    check_missing(samples, options.max_missing, path);
    settle_ranges(image.source, samples, options, path);
    take_samples(image, std::move(samples));
  });
  return image;
}

}  // namespace

Image read_image(const fs::path& path, const ReadOptions& options, const Image* known) {
  if (const auto& range = options.fixed_range) {
    if (!std::isfinite(range->black) || !std::isfinite(range->white) ||
        range->white <= range->black) {
      fail(ErrorCode::bad_argument, "{}: fixed_range needs black < white, got {} and {}",
           kReadImage, range->black, range->white);
    }
  }
  start_vips();
  const FileKind kind = kind_of_contents(kReadImage, path);
  const auto read = [&](bool lenient) {
    return decoded(open_picture(kind, path, options.page, options.max_megapixels, lenient), kind,
                   path, options, known);
  };
  return reading(path, [&] {
    if (kind != FileKind::jpeg) return read(false);
    try {
      return read(false);
    } catch (const vips::VError&) {
      const std::string why = take_vips_error();
      Image image = read(true);
      image.source.warning = fmt::format(
          "the file is damaged or ends too soon ({}); what there is "
          "of it was taken",
          why);
      return image;
    }
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
    info.has_alpha = picture.meaning.has_alpha;
    info.has_icc_profile = !profile_of(picture.pixels, picture.channels).empty();
    info.loader = std::string(name_of(kind));
    return info;
  });
}

}  // namespace unmar
