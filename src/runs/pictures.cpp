#include "runs/pictures.h"

#include "base/fail.h"
#include "unmar/base/files.h"
#include "unmar/gan/model.h"
#include "unmar/image/pages.h"
#include "unmar/tasks/tasks.h"

namespace unmar::runs {

Shape shape_of(const RunInputs& in) {
  const ImageInfo info = read_image_info(in.picture, in.reading.page);
  const Rect size = in.reading.region.value_or(Rect{0, 0, info.height, info.width});
  return {1, info.channels, size.height, size.width};
}

ReadOptions reading_of_picture(const RunInputs& in) {
  constexpr double kMostMissing = 0.5;  // of more, most of the picture would be made up
  ReadOptions reading = in.reading;
  reading.max_missing = kMostMissing;
  return reading;
}

Pictures read_pictures(const RunInputs& in, const RestoreOptions& resolved, bool alone) {
  Pictures pictures;
  Image known;
  if (!in.mask.empty()) {
    pictures.mask = read_mask(in.mask, without_region(reading_of(in, in.mask)));
    known = known_pixels(pictures.mask, resolved);
  }
  pictures.input = read_image(in.picture, reading_of_picture(in), known.empty() ? nullptr : &known);
  if (const auto& r = in.reading.region; r && !known.empty()) {
    pictures.known = std::make_shared<const Image>(crop(known, r->y, r->x, r->height, r->width));
    pictures.mask = {};
  }
  if (alone && count_pages(in.picture) > 1)
    pictures.input.source.metadata = for_pages(pictures.input.source.metadata, 1);
  return pictures;
}

ReadOptions without_region(ReadOptions reading) {
  reading.region.reset();
  return reading;
}

ReadOptions enlarged_region(ReadOptions reading, int factor) {
  if (auto& r = reading.region)
    r = {r->y * factor, r->x * factor, r->height * factor, r->width * factor};
  return reading;
}

ReadOptions reading_of(const RunInputs& in, const std::filesystem::path& path) {
  ReadOptions reading = in.reading;
  const int pages = count_pages(path);
  if (pages == 1) reading.page = 1;
  if (pages > 1 && pages != count_pages(in.picture))
    fail(ErrorCode::bad_argument,
         "'{}' holds {} pages, but '{}' has not as many; give one page for all, or as many",
         path.string(), pages, in.picture.string());
  return reading;
}

ReadOptions reading_of_others(const RunInputs& in, const std::filesystem::path& path) {
  return {.max_megapixels = in.reading.max_megapixels, .page = reading_of(in, path).page};
}

std::shared_ptr<const Image> kernel_of(const RunInputs& in) {
  return std::make_shared<const Image>(read_image(in.blur, reading_of_others(in, in.blur)));
}

namespace {

ReadOptions guide_reading(const FitRequest& request) {
  ReadOptions reading = reading_of_others(request.in, request.in.guide);
  reading.region = request.in.reading.region;
  return enlarged_region(reading, request.options.factor.value_or(1));
}

}  // namespace

RestoreOptions options_with_files(const FitRequest& request) {
  RestoreOptions options = request.options;
  const RunInputs& in = request.in;
  if (!in.network.empty() && !options.custom_network)
    options.custom_network =
        network_from_json(read_text(in.network, "`network_file`"), in.network.string());
  if (!in.guide.empty()) {
    if (!options.input) options.input = InputKind::guide;
    if (options.input == InputKind::guide)
      options.guide = std::make_shared<const Image>(read_image(in.guide, guide_reading(request)));
  }
  if (!in.model.empty() && options.prior == FitPrior::gan)
    options.gan = std::make_shared<const GanModel>(read_gan(in.model.parent_path()));
  if (!in.blur.empty()) options.blur_kernel = kernel_of(in);
  return options;
}

}  // namespace unmar::runs
