#pragma once

#include <stop_token>

#include "unmar/runs/run.h"
#include "unmar/tasks/tiles.h"

namespace unmar::runs {

/// By a few iterations of a tile that has something to restore; some seconds. Without time if none
/// has, if that tile fails, or if it was stopped.
TileEstimate estimate_of(const Tiling& tiling, const PictureParts& picture,
                         const std::stop_token& stop = {});

}  // namespace unmar::runs
