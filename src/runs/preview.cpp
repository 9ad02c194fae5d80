#include "runs/preview.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace unmar::runs {
namespace {

constexpr int kSide = 1024;  // px at most
constexpr double kEverySeconds = 2;

int scaled(int pixels, double scale) { return static_cast<int>(std::lround(scale * pixels)); }

}  // namespace

Preview::Preview(std::filesystem::path file, const Tiling& tiling)
    : file_(std::move(file)), grid_(tiling.result_grid()) {
  const int height = grid_.rows().length(), width = grid_.columns().length();
  scale_ = std::min(1.0, static_cast<double>(kSide) / std::max(height, width));
  const Image first = to_colours(tiling.input(0));
  picture_ = Image(first.channels(), std::max(1, scaled(height, scale_)),
                   std::max(1, scaled(width, scale_)));
  for (int tile = 0; tile < grid_.count(); ++tile) put(grid_.tile(tile), tiling.input(tile));
}

void Preview::put(const Rect& rect, const Image& image) {
  const int y0 = scaled(rect.y, scale_), x0 = scaled(rect.x, scale_);
  const int height = std::min(picture_.height(), scaled(rect.y + rect.height, scale_)) - y0;
  const int width = std::min(picture_.width(), scaled(rect.x + rect.width, scale_)) - x0;
  if (height < 1 || width < 1) return;
  const Image small = resized(to_colours(image), height, width);
  for (int c = 0; c < picture_.channels(); ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) picture_.at(c, y0 + y, x0 + x) = small.at(c, y, x);
}

void Preview::put(const TileResult& tile) {
  put(grid_.tile(tile.facts.tile), to_image(tile.picture));
}

void Preview::put_rows(int y, const Image& rows) { put({y, 0, rows.height(), rows.width()}, rows); }

void Preview::add(const TileResult& tile) {
  put(tile);
  if (file_.empty() || seconds_since(written_) < kEverySeconds) return;
  written_ = Clock::now();
  write();
}

void Preview::write() const {
  if (!file_.empty()) write_image(file_, picture_);
}

}  // namespace unmar::runs
