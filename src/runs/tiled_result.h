#pragma once

#include "runs/tile_source.h"
#include "runs/tile_work.h"

namespace unmar::runs {

/// The picture of the tiles, as it is written.
Image tiled_result(const TileWork& work, const TileSource& source);

}  // namespace unmar::runs
