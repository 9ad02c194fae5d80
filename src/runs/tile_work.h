#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "unmar/runs/run.h"
#include "unmar/runs/tile_store.h"

namespace unmar::runs {

/// One picture that is restored in tiles.
struct TileWork {
  const Tiling& tiling;
  const TileStore& store;
  int threads = 0;  ///< 0: as many as the machine has
  /// Where others may be at work, too: tiles that they are at are left to them.
  bool shared = false;
  /// A tile was done. Called by one thread at a time.
  std::function<void(const TileResult&)> on_tile = {};
  /// The share of one tile's work that is done, of what it may take at most; by any thread.
  std::function<void(int tile, double share)> on_share = {};
};

/// Makes what all tiles start from, unless it is there. False if another process is at it, or a
/// stop was requested.
bool begin_tiles(const TileWork& work, const std::stop_token& stop);

/// Does those of `tiles` that are not done and that nobody else is at, several at a time, as
/// threads and memory allow. Returns how many of them are left. A tile that fails is passed over,
/// but none is begun behind one that cannot be saved; the first failure is thrown at the end.
int do_tiles(const TileWork& work, const std::vector<int>& tiles, const std::stop_token& stop);

/// The picture of tiles that are done, the others as they came, handed on some rows at a time, from
/// the top; with alpha, and without anything else beside the pixels. Tiles are blended in their
/// order, so that the result is the same whoever made them, in whatever order. Where all that share
/// a pixel say the same, the result says just that.
void join_tiles(const TileWork& work, const std::function<void(int y, Image rows)>& write);

}  // namespace unmar::runs
