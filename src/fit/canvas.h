#pragma once

#include "unmar/fit/fit.h"
#include "unmar/tensor/tensor.h"
#include "unmar/tensor/tiles.h"

/// A picture of which one tile after the other is fitted.
namespace unmar {

/// whole += part times the shares of the tile that it is of.
void add_share(const TileGrid& grid, int tile, const Tensor& part, Tensor& whole);

/// The whole picture, while tile number `tile` is fitted: done tiles, this one, and around them
/// what was there before. It holds two pictures.
class Canvas {
 public:
  /// around: [1,c,h,w], what stands where no fit has been. sum: what the tiles before this one add
  /// up to, each times its shares; null: there are none. grid and sum are borrowed.
  Canvas(const TileGrid& grid, int tile, const Tensor& around, const Tensor* sum);

  /// With the tile as it is now, of the tile's size; valid until the next call.
  const Tensor& with(const Tensor& tile);
  /// The tile times its shares, 0 elsewhere.
  Tensor share_of(const Tensor& tile) const;

 private:
  const TileGrid& grid_;
  int tile_;
  Tensor before_, picture_;
};

/// What a tile's fit tells, with the whole pictures in place of the tile's; valid until the next
/// call.
FitProgress on_whole(const FitProgress& of_tile, Canvas& iterate, Canvas& average);

}  // namespace unmar
