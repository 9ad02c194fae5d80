#pragma once

#include <functional>

#include "runs/tile_source.h"
#include "runs/tile_work.h"

namespace unmar::runs {

/// Without what belongs to single pixels.
ImageFacts result_facts(const TileWork& work);

/// Hands on the picture of the tiles, some rows at a time, from the top, as they are written.
void for_result_rows(const TileWork& work, const TileSource& source,
                     const std::function<void(int y, const Image& rows)>& visit);

/// In memory.
Image tiled_result(const TileWork& work, const TileSource& source);

/// Into the file that the request names. folder: see RowWriter.
void write_tiled_result(const TileWork& work, const TileSource& source, const FitRequest& request,
                        const std::filesystem::path& folder);

}  // namespace unmar::runs
