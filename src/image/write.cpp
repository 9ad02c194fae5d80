#include "base/fail.h"
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
    if (kind == FileKind::fits) return fits_hdu(pixels, metadata, true);
    return with_metadata(
        encoded_as(with_fields(pixels, kind, metadata), kind, image, options.quality), kind,
        metadata, image.width(), image.height());
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

void check_holds(const fs::path& path, const Image& image) {
  check_channels(image, kind_of_extension(kWriteImage, path), path);
}

void check_writable(const fs::path& path) {
  kind_of_extension(kWriteImage, path);
  // Trying is the only test that is right on every file system.
  const TemporaryFile trial(kWriteImage, path);
}

}  // namespace unmar
