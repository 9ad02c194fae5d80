#include "runs/tiled_result.h"

#include <algorithm>
#include <utility>

namespace unmar::runs {

Image tiled_result(const TileWork& work, const TileSource& source) {
  const TileGrid grid = work.tiling.result_grid();
  Image image(source.picture->channels(), grid.rows().length(), grid.columns().length());
  ImageSource beside = work.tiling.result_source();
  if (work.tiling.factor() == 1) beside.stored = source.input->source.stored;
  join_tiles(work, [&](int y, const Image& rows) {
    const auto from = static_cast<std::ptrdiff_t>(y) * image.width();
    for (int c = 0; c < image.channels(); ++c)
      std::ranges::copy(rows.plane(c), image.plane(c).begin() + from);
    const auto& alpha = rows.source.alpha;
    beside.alpha.insert(beside.alpha.end(), alpha.begin(), alpha.end());
  });
  image.source = std::move(beside);
  return image;
}

}  // namespace unmar::runs
