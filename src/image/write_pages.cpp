#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/fail.h"
#include "image/encode.h"
#include "image/fits_read.h"
#include "image/fits_write.h"
#include "image/mapped_file.h"
#include "image/metadata_files.h"
#include "image/pages.h"
#include "unmar/image/pages.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using namespace unmar::image;
using vips::VImage;

std::string tiff_of_pages(const std::vector<Image>& pages, const fs::path& path,
                          const WriteOptions& options) {
  std::vector<std::string> files;
  std::vector<std::vector<Tag>> instead;
  for (const Image& page : pages)
    files.push_back(with_pixels(page, kind_to_write(FileKind::tiff, page, options, path),
                                FileKind::tiff, [&](const VImage& pixels) {
                                  instead.push_back(tags_of_samples(page, pixels.bands()));
                                  return encoded(pixels, FileKind::tiff, options.quality);
                                }));
  std::vector<TiffPage> parts;
  for (std::size_t i = 0; i < pages.size(); ++i)
    parts.push_back({files[i],
                     tags_to_write(metadata_of(pages[i], options), FileKind::tiff, pages[i].width(),
                                   pages[i].height()),
                     instead[i]});
  return to_tiff(parts);
}

std::string fits_of_pages(const std::vector<Image>& pages, const fs::path& path,
                          const fs::path& like, const WriteOptions& options) {
  std::string file;
  const Sink sink = [&](std::string_view bytes) { file += bytes; };
  auto page = pages.begin();
  write_fits_like(like, pages.size(), options.strip, sink, [&](bool primary, bool more) {
    const SampleKind samples = kind_to_write(FileKind::fits, *page, options, path);
    with_pixels(*page, samples, FileKind::fits, [&](const VImage& pixels) {
      write_fits_hdu(pixels, metadata_of(*page, options), primary, more, sink);
      return std::string();
    });
    ++page;
  });
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
  const int bands = first.channels() + (with_alpha ? 1 : 0);
  for (Image frame : frames) {
    if (with_alpha && frame.source.alpha.empty())
      frame.source.alpha.assign(frame.plane(0).size(), 1.f);
    with_pixels(frame, {.format = SampleFormat::u8}, FileKind::webp, [&](const VImage& pixels) {
      const auto* some = static_cast<const std::uint8_t*>(pixels.data());
      samples.insert(samples.end(), some, some + VIPS_IMAGE_SIZEOF_IMAGE(pixels.get_image()));
      return std::string();
    });
  }
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
  std::string file;
  write_with_metadata(encoded(all, FileKind::webp, options.quality), FileKind::webp, metadata,
                      first.width(), first.height(),
                      [&](std::string_view bytes) { file += bytes; });
  return file;
}

}  // namespace

void image::write_fits_like(const fs::path& like, std::size_t count, bool strip, const Sink& sink,
                            const std::function<void(bool primary, bool more)>& picture) {
  const MappedFile old(like);
  std::vector<FitsHdu> hdus = fits_hdus(old.bytes());
  const auto images = std::ranges::count_if(hdus, &FitsHdu::is_image);
  if (static_cast<std::size_t>(images) != count || strip) {
    hdus.assign(count, {});
    for (FitsHdu& hdu : hdus) hdu.is_image = true;
  }
  for (const FitsHdu& hdu : hdus)
    if (hdu.is_image)
      picture(&hdu == hdus.data(), hdus.size() > 1);
    else
      sink(hdu.bytes);
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
    check_picture(page, kind, options, path);
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

}  // namespace unmar
