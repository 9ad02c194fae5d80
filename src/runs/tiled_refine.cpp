#include "runs/tiled_refine.h"

#include "base/fail.h"
#include "runs/pictures.h"
#include "runs/tile_estimate.h"
#include "unmar/image/parts.h"

namespace unmar {
namespace runs {

ReadOptions reading_of_prior(const RefineRequest& request) {
  const RunInputs& in = request.in;
  const int factor = request.options.restore.factor.value_or(1);
  const ReadOptions reading = mask_reading(reading_of(in, request.prior_file));
  const ImageInfo info = read_image_info(request.prior_file, reading.page);
  const Shape picture = shape_of(in);
  const bool is_of_region = info.height == picture.h * factor && info.width == picture.w * factor;
  return is_of_region ? without_region(reading) : enlarged_region(reading, factor);
}

FitRequest tiled_request_of(const RefineRequest& request, const DdpmUnetOptions& unet) {
  FitRequest fit = fit_request_of(request);
  fit.options = fit_options_of(request.task, request.options, unet, shape_of(request.in));
  return fit;
}

TileRefinement open_refinement(const RefineRequest& request, DiffusersModel model,
                               const std::filesystem::path& folder) {
  const RunInputs& in = request.in;
  TileRefinement refinement;
  const Shape picture = shape_of(in);
  const int factor = request.options.restore.factor.value_or(1);
  if (!request.prior_file.empty()) {
    refinement.prior = open_parts(request.prior_file, reading_of_prior(request), folder);
    const PictureParts& prior = *refinement.prior;
    if (prior.channels() != picture.c || prior.height() != picture.h * factor ||
        prior.width() != picture.w * factor)
      fail(ErrorCode::bad_input,
           "`prior_file`: it is {}x{} px with {} channels but the result will be {}x{} px with {}",
           prior.width(), prior.height(), prior.channels(), picture.w * factor, picture.h * factor,
           picture.c);
  }
  refinement.refiner = std::make_unique<TileRefiner>(request.task, picture.c, std::move(model),
                                                     request.options, refinement.prior.get());
  return refinement;
}

}  // namespace runs

bool has_fit(const RefineRequest& request) {
  return request.prior_file.empty() && request.options.from == StartFrom::prior;
}

FitRequest fit_request_of(const RefineRequest& request) {
  FitRequest fit{.task = request.task, .in = request.in};
  fit.out.result = request.out.result;
  fit.out.writing = request.out.writing;
  fit.out.preview = request.out.preview;
  fit.options = request.options.restore;
  return fit;
}

TileEstimate estimate_tile(const RefineRequest& request) {
  DiffusersModel model = read_diffusers(request.model);
  const FitRequest fit = runs::tiled_request_of(request, model.unet);
  const auto refinement =
      runs::open_refinement(request, std::move(model), std::filesystem::temp_directory_path());
  return runs::estimate_tile(fit, refinement.refiner.get());
}

}  // namespace unmar
