#include <fmt/format.h>

#include <algorithm>

#include "runs/pictures.h"
#include "runs/tile_estimate.h"
#include "runs/training.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/diffusion/unet_model.h"
#include "unmar/diffusion/weights.h"
#include "unmar/runs/queue.h"
#include "unmar/tasks/tiles.h"

namespace unmar {

std::size_t memory_needed(const FitRequest& request) {
  const RestoreOptions given = runs::options_with_files(request);
  ImageInfo info = read_image_info(request.in.picture, request.in.reading.page);
  if (const auto& region = request.in.reading.region)
    info.height = region->height, info.width = region->width;
  if (info.height < 1 || info.width < 1) return 0;  // which reading refuses
  const Shape picture{1, info.channels, info.height, info.width};
  const RestoreOptions resolved = resolve(request.task, given);
  const int tiles = tile_grid(request.task, info.height, info.width, resolved).count();
  if (tiles == 1) return memory_needed(request.task, picture, given);
  const auto at_once = static_cast<std::size_t>(std::min(thread_count(*resolved.threads), tiles));
  return runs::held_in_tiles(picture) + at_once * memory_of_tile(request.task, picture, given);
}

std::size_t memory_needed(const RefineRequest& request) {
  const bool fits = request.prior_file.empty() && request.options.from == StartFrom::prior;
  const std::size_t fit =
      fits ? memory_needed(FitRequest{
                 .task = request.task, .in = request.in, .options = request.options.restore})
           : 0;
  const std::filesystem::path config = diffusers_files(request.model).config;
  const DdpmUnetOptions unet = ddpm_unet_from_json(read_text(config, "refine"),
                                                   fmt::format("refine: '{}'", config.string()));
  std::size_t weights = 0;
  for (const TensorSpec& spec : unet_tensors(unet)) {
    std::size_t count = 1;
    for (const std::int64_t side : spec.shape) count *= static_cast<std::size_t>(side);
    weights += sizeof(float) * count;
  }
  const RestoreOptions resolved = resolve(request.task, request.options.restore);
  const int side = std::max(1, unet.sample_size);
  const UnetModelOptions options{.sample = {1, unet.in_channels, side, side},
                                 .engine = resolved.engine.value(),
                                 .threads = resolved.threads.value()};
  const bool has_gradient = request.options.consistency == Consistency::dps;
  return weights + std::max(fit, cost_of(unet, options, has_gradient).memory);
}

std::size_t memory_needed(const TrainingRequest& request) {
  const Dataset pictures =
      runs::training_pictures("ddpm train", request.images, request.size, request.gray);
  return pictures.samples.size() + Trainer::memory_needed(runs::trainer_options(
                                       request, runs::training_unet(request, pictures)));
}

std::size_t memory_needed(const GanTrainingRequest& request) {
  const Dataset pictures =
      runs::training_pictures("gan train", request.images, request.size, request.gray);
  return pictures.samples.size() +
         GanTrainer::memory_needed(runs::gan_trainer_options(request, pictures));
}

}  // namespace unmar
