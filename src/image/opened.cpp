#include "image/opened.h"

#include "base/fail.h"
#include "image/containers.h"
#include "image/fits_read.h"
#include "image/icc.h"
#include "image/mapped_file.h"
#include "image/pages.h"
#include "image/tiff_bytes.h"

namespace unmar::image {
namespace {

namespace fs = std::filesystem;
using vips::VImage;

/// place: that of the page, from 0 on. lenient: takes what there is of a file that ends too soon.
VImage load(FileKind kind, const fs::path& path, int place, bool lenient) {
  // Each loader by name: the general one takes "[...]" at the end of a name for options.
  // Sequential access decodes once, straight to memory.
  const VipsFailOn fail_on = lenient ? VIPS_FAIL_ON_NONE : VIPS_FAIL_ON_ERROR;
  if (kind == FileKind::tiff && place > 0)
    if (const auto stack = read_raw_stack(path))
      return load_stack_page(path, *stack, place, fail_on);
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

/// What is in the file and nobody reads; empty: nothing.
std::string left_unread(FileKind kind, const fs::path& path, const VImage& opened) {
  int pictures = 1;
  if (kind == FileKind::png) pictures = png_frames(MappedFile(path).bytes());
  if ((kind == FileKind::heif || kind == FileKind::jxl) &&
      opened.get_typeof(VIPS_META_N_PAGES) != 0)
    pictures = opened.get_int(VIPS_META_N_PAGES);
  if (pictures < 2) return {};
  return fmt::format(
      "the file holds {} pictures, of which only the first is read; save them as TIFF or WebP, "
      "whose pages `page` chooses",
      pictures);
}

}  // namespace

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

Opened open_picture(FileKind kind, const fs::path& path, int page, double max_megapixels,
                    bool lenient) {
  Opened picture;
  picture.place = place_of_page(kReadImage, kind, path, page);
  picture.opened = picture.pixels = load(kind, path, picture.place, lenient);
  picture.unread = left_unread(kind, path, picture.opened);
  if (kind == FileKind::tiff && picture.place > 0 && read_raw_stack(path))
    picture.place = 0;  // one directory tells of all its pages
  const int width = picture.pixels.width(), height = picture.pixels.height();
  const double megapixels = 1e-6 * width * height;
  if (megapixels > max_megapixels) {
    fail(ErrorCode::too_large,
         "{}: '{}' is {}x{} px ({:.4g} Mpx), above the limit of {:.4g} Mpx; raise it with "
         "`max_pixels`",
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

std::vector<std::byte> profile_of(const VImage& pixels, int channels) {
  if (pixels.get_typeof(VIPS_META_ICC_NAME) == 0) return {};
  std::size_t size = 0;
  const auto* data = static_cast<const std::byte*>(pixels.get_blob(VIPS_META_ICC_NAME, &size));
  std::vector<std::byte> profile(data, data + size);
  if (!profile_fits(profile, channels)) profile.clear();
  return profile;
}

}  // namespace unmar::image
