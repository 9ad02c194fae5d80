#include "base/fail.h"
#include "base/temporary_file.h"
#include "image/encode.h"
#include "image/fits_write.h"
#include "image/metadata_files.h"
#include "image/vips_runtime.h"
#include "unmar/image/image.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using namespace unmar::image;
using vips::VImage;

std::string file_of(const Image& image, SampleKind samples, FileKind kind,
                    const WriteOptions& options) {
  const Metadata& metadata = metadata_of(image, options);
  return with_pixels(image, samples, kind, [&](const VImage& pixels) {
    std::string file;
    const Sink sink = [&](std::string_view bytes) { file += bytes; };
    if (kind == FileKind::fits) {
      write_fits_hdu(pixels, metadata, true, false, sink);
      return file;
    }
    const std::string some = encoded(with_fields(pixels, kind, metadata), kind, options.quality);
    if (kind == FileKind::tiff)
      return to_tiff({{some, tags_to_write(metadata, kind, image.width(), image.height()),
                       tags_of_samples(image, pixels.bands())}});
    write_with_metadata(some, kind, metadata, image.width(), image.height(), sink);
    return file;
  });
}

}  // namespace

void write_image(const fs::path& path, const Image& image, const WriteOptions& options) {
  const FileKind kind = kind_of_extension(kWriteImage, path);
  const SampleKind samples = kind_to_write(kind, image, options, path);
  check_picture(image, kind, options, path);
  write_file(path, [&] { return file_of(image, samples, kind, options); });
}

std::string encode_image(const Image& image, const std::string& extension,
                         const WriteOptions& options) {
  const fs::path path = "picture" + extension;
  const FileKind kind = kind_of_extension("encode_image", path);
  const SampleKind samples = kind_to_write(kind, image, options, path);
  check_picture(image, kind, options, path);
  start_vips();
  try {
    return file_of(image, samples, kind, options);
  } catch (const vips::VError&) {
    fail(ErrorCode::io, "encode_image: the {} encoder failed ({})", name_of(kind),
         take_vips_error());
  }
}

void check_holds(const fs::path& path, const ImageFacts& picture) {
  const FileKind kind = kind_of_extension(kWriteImage, path);
  check_channels(Image(picture.channels, 1, 1), kind, path);
  check_sides(picture.width, picture.height, kind);
}

void check_writable(const fs::path& path) {
  kind_of_extension(kWriteImage, path);
  // Trying is the only test that is right on every file system.
  const TemporaryFile trial(kWriteImage, path);
}

}  // namespace unmar
