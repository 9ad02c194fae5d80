#pragma once

#include <stop_token>

#include "unmar/runs/run.h"
#include "unmar/tasks/tiles.h"

namespace unmar::runs {

/// Bytes that a run in tiles takes beside the tiles that it is at: the picture in parts, and rows
/// of the result. picture: as it was given.
std::size_t held_in_tiles(const Shape& picture);

/// estimate_tile() of job_list.h, of tiles that a restorer restores.
TileEstimate estimate_tile(const FitRequest& request, const TileRestorer* restorer);

/// By a few iterations of a tile that has something to restore; some seconds. Without time if none
/// has, if that tile fails, or if it was stopped.
TileEstimate estimate_of(const Tiling& tiling, const PictureParts& picture,
                         const std::stop_token& stop = {});

}  // namespace unmar::runs
