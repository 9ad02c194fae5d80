#include <fmt/format.h>

#include <algorithm>

#include "runs/pictures.h"
#include "runs/tile_estimate.h"
#include "runs/tiled_refine.h"
#include "runs/training.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/diffusion/weights.h"
#include "unmar/runs/queue.h"
#include "unmar/tasks/tiles.h"

namespace unmar {

std::size_t memory_needed(const FitRequest& request) {
  const RestoreOptions given = runs::options_with_files(request);
  const Shape picture = runs::shape_of(request.in);
  if (picture.h < 1 || picture.w < 1) return 0;  // which reading refuses
  const RestoreOptions resolved = resolve(request.task, given);
  const int tiles = tile_grid(request.task, picture.h, picture.w, resolved).count();
  if (tiles == 1) return memory_needed(request.task, picture, given);
  const auto at_once = static_cast<std::size_t>(std::min(thread_count(*resolved.threads), tiles));
  return runs::held_in_tiles(picture) + at_once * memory_of_tile(request.task, picture, given);
}

std::size_t memory_needed(const RefineRequest& request) {
  const std::filesystem::path config = diffusers_files(request.model).config;
  const DdpmUnetOptions unet = ddpm_unet_from_json(read_text(config, "refine"),
                                                   fmt::format("refine: '{}'", config.string()));
  const FitRequest fitting = runs::tiled_request_of(request, unet);
  RefineOptions options = request.options;
  options.restore = resolve(request.task, fitting.options);
  const Shape picture = runs::shape_of(request.in);
  const std::size_t fit = has_fit(request) ? memory_needed(fitting) : runs::held_in_tiles(picture);
  const TileGrid grid = tile_grid(request.task, picture.h, picture.w, options.restore);
  const int factor = options.restore.factor.value_or(1);
  const Rect tile = grid.tile(0);
  const auto [weights, network, pictures] =
      memory_of_chain(unet, options, {1, picture.c, tile.height * factor, tile.width * factor});
  // Tiles keep their networks; else the chain comes when the fit is gone.
  if (grid.count() == 1) return weights + std::max(fit, network + pictures);
  const int at_once = std::min(thread_count(*options.restore.threads), grid.count());
  return weights + fit + static_cast<std::size_t>(at_once) * (network + pictures);
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
