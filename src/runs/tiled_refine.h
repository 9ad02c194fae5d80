#pragma once

#include <filesystem>
#include <memory>

#include "unmar/runs/refine_run.h"
#include "unmar/tasks/refine_tiles.h"

namespace unmar::runs {

/// How the file of the prior is read: as it is, of the region, unless it shows just that.
ReadOptions reading_of_prior(const RefineRequest& request);

/// fit_request_of(), with options that suit the model in tiles.
FitRequest tiled_request_of(const RefineRequest& request, const DdpmUnetOptions& unet);

/// What refines the tiles of a request, and the file that it looks at.
struct TileRefinement {
  std::unique_ptr<PictureParts> prior;  ///< null: none was given
  std::unique_ptr<TileRefiner> refiner;
};
/// folder: see open_parts(). throws as TileRefiner, and for a file of the prior that does not have
/// the result's size.
TileRefinement open_refinement(const RefineRequest& request, DiffusersModel model,
                               const std::filesystem::path& folder);

}  // namespace unmar::runs
