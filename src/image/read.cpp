#include "image/file_parts.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/fail.h"
#include "image/opened.h"
#include "image/reading.h"
#include "image/vips_runtime.h"
#include "unmar/image/parts.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using namespace unmar::image;

void check_reading(const ReadOptions& options) {
  const auto& range = options.fixed_range;
  if (!range ||
      (std::isfinite(range->black) && std::isfinite(range->white) && range->white > range->black))
    return;
  fail(ErrorCode::bad_argument, "{}: fixed_range needs black < white, got {} and {}", kReadImage,
       range->black, range->white);
}

/// Calls read(lenient) and, of a JPEG that ends too soon, once more for what there is. Returns what
/// was wrong.
template <class Read>
std::string read_what_there_is(FileKind kind, const fs::path& path, Read read) {
  return reading(path, [&]() -> std::string {
    try {
      read(false);
      return {};
    } catch (const vips::VError&) {
      if (kind != FileKind::jpeg) throw;
      const std::string why = take_vips_error();
      read(true);
      return fmt::format("the file is damaged or ends too soon ({}); what there is of it was taken",
                         why);
    }
  });
}

class Whole final : public PictureParts {
 public:
  explicit Whole(const Image& picture) : picture_(picture) {}
  ImageFacts facts() const override { return facts_of(picture_); }
  int channels() const override { return picture_.channels(); }
  int height() const override { return picture_.height(); }
  int width() const override { return picture_.width(); }
  Image part(const Rect& r) const override { return crop(picture_, r.y, r.x, r.height, r.width); }

 private:
  const Image& picture_;
};

class Within final : public PictureParts {
 public:
  Within(const PictureParts& picture, const Rect& rect) : picture_(picture), rect_(rect) {}
  ImageFacts facts() const override {
    return {channels(), height(), width(), picture_.facts().source};
  }
  int channels() const override { return picture_.channels(); }
  int height() const override { return rect_.height; }
  int width() const override { return rect_.width; }
  Image part(const Rect& r) const override {
    return picture_.part({rect_.y + r.y, rect_.x + r.x, r.height, r.width});
  }

 private:
  const PictureParts& picture_;
  const Rect rect_;
};

}  // namespace

std::unique_ptr<image::FileParts> image::open_file(const fs::path& path, const ReadOptions& options,
                                                   double max_megapixels, const PictureParts* known,
                                                   const Holding& holding) {
  check_reading(options);
  start_vips();
  const FileKind kind = kind_of_contents(kReadImage, path);
  std::unique_ptr<FileParts> parts;
  const std::string warning = read_what_there_is(kind, path, [&](bool lenient) {
    parts =
        std::make_unique<FileParts>(open_picture(kind, path, options.page, max_megapixels, lenient),
                                    kind, path, options, known, holding);
  });
  parts->warn(warning);
  return parts;
}

std::unique_ptr<PictureParts> parts_of(const Image& picture) {
  return std::make_unique<Whole>(picture);
}

std::unique_ptr<PictureParts> parts_within(const PictureParts& picture, const Rect& rect) {
  return std::make_unique<Within>(picture, rect);
}

std::unique_ptr<PictureParts> open_parts(const fs::path& path, const ReadOptions& options,
                                         const fs::path& folder, const PictureParts* known) {
  return open_file(path, options,
                   options.max_megapixels.value_or(std::numeric_limits<double>::infinity()), known,
                   {.folder = folder});
}

Image read_image(const fs::path& path, const ReadOptions& options, const Image* known) {
  constexpr double kMostMegapixels = 100;
  const auto known_parts = known ? parts_of(*known) : nullptr;
  const bool some = options.region.has_value();
  const auto parts =
      open_file(path, options,
                options.max_megapixels.value_or(some ? std::numeric_limits<double>::infinity()
                                                     : kMostMegapixels),
                known_parts.get(), {.folder = some ? fs::temp_directory_path() : fs::path()});
  return parts->part({0, 0, parts->height(), parts->width()});
}

ImageInfo read_image_info(const fs::path& path, int page) {
  start_vips();
  const FileKind kind = kind_of_contents(kReadImage, path);
  return reading(path, [&] {
    const Opened picture = open_picture(kind, path, page, std::numeric_limits<double>::infinity());
    ImageInfo info;
    info.channels = picture.channels;
    info.height = picture.turned ? picture.pixels.width() : picture.pixels.height();
    info.width = picture.turned ? picture.pixels.height() : picture.pixels.width();
    info.format = picture.format;
    info.numbers = numbers_of(picture.pixels);
    info.has_alpha = picture.meaning.has_alpha;
    info.has_icc_profile = !profile_of(picture.pixels, picture.channels).empty();
    info.loader = std::string(name_of(kind));
    return info;
  });
}

}  // namespace unmar
