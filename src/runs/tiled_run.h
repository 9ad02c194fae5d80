#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>

#include "unmar/runs/run.h"

namespace unmar::runs {

/// The tiles that the picture of a request is restored in; 1: it is restored as a whole. Reads the
/// head of its file. throws as reading it, and for options that are wrong.
int tile_count(const FitRequest& request);

/// How a picture in tiles is restored and kept.
struct TiledRunContext {
  RunStore* store = nullptr;          ///< that the run is kept in; null: none
  const RunRecord* record = nullptr;  ///< what it was begun with, if it is resumed, else null
  /// Without a store: where the tiles are kept; empty: nowhere. resumed: those that are there are
  /// taken.
  std::filesystem::path folder = {};
  bool resumed = false;
  std::function<void()> on_begin = {};     ///< all that is given was found good
  const TileRestorer* restorer = nullptr;  ///< see Tiling
};

/// Where a run without a store or a folder works: beside its result, where its user has space.
std::filesystem::path working_folder(const std::filesystem::path& result);

/// run() for a picture in tiles.
RunResult run_tiled(const FitRequest& request, const TiledRunContext& context,
                    RunObserver& observer, const std::stop_token& stop);

}  // namespace unmar::runs
