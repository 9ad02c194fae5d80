#include "fit/canvas.h"

#include <algorithm>

namespace unmar {
namespace {

/// Calls visit(pixel of the picture, pixel of the tile, share), channel by channel.
template <class Visit>
void for_pixels(const TileGrid& grid, int tile, const Shape& picture, Visit visit) {
  const Rect rect = grid.tile(tile);
  const auto width = static_cast<std::size_t>(picture.w),
             height = static_cast<std::size_t>(picture.h);
  grid.for_rows(tile, [&](int row, int column, const std::vector<double>& shares) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(picture.c); ++c) {
      const std::size_t at =
          (c * height + static_cast<std::size_t>(row)) * width + static_cast<std::size_t>(column);
      const std::size_t in_tile =
          (c * static_cast<std::size_t>(rect.height) + static_cast<std::size_t>(row - rect.y)) *
          static_cast<std::size_t>(rect.width);
      for (std::size_t x = 0; x < shares.size(); ++x)
        visit(at + x, in_tile + x, static_cast<float>(shares[x]));
    }
  });
}

}  // namespace

void add_share(const TileGrid& grid, int tile, const Tensor& part, Tensor& whole) {
  for_pixels(grid, tile, whole.shape(), [&](std::size_t at, std::size_t from, float share) {
    whole.data()[at] += share * part.data()[from];
  });
}

Canvas::Canvas(const TileGrid& grid, int tile, const Tensor& around, const Tensor* sum)
    : grid_(grid), tile_(tile), before_(sum ? *sum : Tensor(around.shape(), 0.f)) {
  Tensor left(around.shape(), 1.f);  // share of what is around
  for (int k = 0; sum && k < tile; ++k)
    for_pixels(grid, k, around.shape(),
               [&](std::size_t at, std::size_t, float share) { left.data()[at] -= share; });
  for (std::size_t i = 0; i < before_.count(); ++i)
    before_.data()[i] += std::max(0.f, left.data()[i]) * around.data()[i];
  // What the tile takes the place of.
  for_pixels(grid, tile, around.shape(), [&](std::size_t at, std::size_t, float share) {
    before_.data()[at] -= share * around.data()[at];
  });
  picture_ = before_;
}

const Tensor& Canvas::with(const Tensor& tile) {
  for_pixels(grid_, tile_, picture_.shape(), [&](std::size_t at, std::size_t from, float share) {
    picture_.data()[at] = before_.data()[at] + share * tile.data()[from];
  });
  return picture_;
}

Tensor Canvas::share_of(const Tensor& tile) const {
  Tensor whole(picture_.shape(), 0.f);
  add_share(grid_, tile_, tile, whole);
  return whole;
}

FitProgress on_whole(const FitProgress& p, Canvas& iterate, Canvas& average) {
  FitProgress whole{p.row,
                    p.iterations,
                    p.seconds,
                    p.best_iteration,
                    iterate.with(p.restored),
                    p.average.empty() ? p.average : average.with(p.average),
                    p.save_to};
  whole.cancelled = p.cancelled;
  return whole;
}

}  // namespace unmar
