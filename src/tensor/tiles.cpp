#include "unmar/tensor/tiles.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/fail.h"

namespace unmar {
namespace {

std::vector<int> spread(int length, int size, int overlap) {
  const int stride = size - overlap;
  const int last = (length - size + stride - 1) / stride;
  std::vector<int> starts;
  for (int i = 0; i <= last; ++i)
    starts.push_back(last == 0 ? 0 : static_cast<int>(std::int64_t{length - size} * i / last));
  return starts;
}

TileAxis axis(int length, int size, int overlap) {
  if (length < 1 || size < 1 || overlap < 0 || overlap >= size)
    fail(ErrorCode::bad_argument,
         "tiles: the overlap must be 0 to size - 1, got {} of {} px in {} px", overlap, size,
         length);
  const int own = std::min(size, length);
  return {length, own, std::min(overlap, own - 1)};
}

}  // namespace

Tensor crop(const Tensor& x, const Rect& part) {
  if (x.empty()) return {};
  const Shape& s = x.shape();
  if (s.n != 1 || part.y < 0 || part.x < 0 || part.height < 1 || part.width < 1 ||
      part.y + part.height > s.h || part.x + part.width > s.w)
    fail(ErrorCode::bad_argument, "crop: {}x{} at ({}, {}) is not inside {}", part.width,
         part.height, part.x, part.y, to_string(s));
  Tensor result({1, s.c, part.height, part.width});
  for (int c = 0; c < s.c; ++c)
    for (int row = 0; row < part.height; ++row)
      std::copy_n(x.data() + (static_cast<std::ptrdiff_t>(c) * s.h + part.y + row) * s.w + part.x,
                  part.width, &result.at(0, c, row, 0));
  return result;
}

TileAxis::TileAxis(int length, int size, int overlap)
    : TileAxis(length, size, overlap, spread(length, size, overlap)) {}

TileAxis::TileAxis(int length, int size, int overlap, std::vector<int> starts)
    : overlap_(overlap), starts_(std::move(starts)), weight_(static_cast<std::size_t>(length)) {
  for (int i = 0; i < size; ++i) ramp_.push_back(std::min({i + 1, size - i, overlap + 1}));
  for (const int start : starts_)
    for (int i = 0; i < size; ++i)
      weight_[static_cast<std::size_t>(start + i)] += ramp_[static_cast<std::size_t>(i)];
}

TileAxis TileAxis::scaled(int factor) const {
  std::vector<int> starts = starts_;
  for (int& start : starts) start *= factor;
  return {static_cast<int>(weight_.size()) * factor, size() * factor, overlap_ * factor,
          std::move(starts)};
}

TileGrid::TileGrid(int height, int width, int size, int overlap)
    : TileGrid(axis(height, size, overlap), axis(width, size, overlap)) {}

TileGrid::TileGrid(TileAxis rows, TileAxis columns)
    : rows_(std::move(rows)), columns_(std::move(columns)) {}

Rect TileGrid::tile(int index) const {
  return {rows_.start(index / columns_.count()), columns_.start(index % columns_.count()),
          rows_.size(), columns_.size()};
}

TileGrid TileGrid::scaled(int factor) const {
  return {rows_.scaled(factor), columns_.scaled(factor)};
}

}  // namespace unmar
