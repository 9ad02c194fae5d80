#pragma once

#include "engine/cuda/kernels/lanes.h"

/// Where the results of products go.
namespace unmar::cuda {

/// Where pixel (y, x) of a picture with its border lies in a ring, which leaves the picture out:
/// rows above, rows below, then what is left and right of each row.
UNMAR_DEVICE unsigned ring_index(const ProductRows& to, int n, int y, int x) {
  const int sides = to.wide - to.w, ends = to.high - to.h;
  const int picture = ends * to.wide + to.h * sides;
  int at;
  if (y < to.top)
    at = y * to.wide + x;
  else if (y >= to.top + to.h)
    at = (y - to.h) * to.wide + x;
  else
    at = ends * to.wide + (y - to.top) * sides + (x < to.left ? x : x - to.w);
  return static_cast<unsigned>(n) * static_cast<unsigned>(picture) + static_cast<unsigned>(at);
}

/// Where a row of a product goes; null: nowhere. In the ring it is written, never added to.
struct RowPlace {
  float* data;
  bool in_ring;
};
UNMAR_DEVICE RowPlace place_of_row(const ProductOut& o, int row) {
  if (row >= o.rows) return {nullptr, false};
  const ProductRows& to = o.to;
  const PixelSpot spot = spot_of(static_cast<unsigned>(row), to.row_h, to.row_w);
  const int y = spot.y * to.scale + to.first_y, x = spot.x * to.scale + to.first_x;
  if (y >= 0 && y < to.h && x >= 0 && x < to.w)
    return {o.out + ((static_cast<long long>(spot.n) * to.h + y) * to.w + x) * o.out_ld, false};
  if (!to.ring) return {nullptr, false};
  return {to.ring +
              static_cast<long long>(ring_index(to, spot.n, y + to.top, x + to.left)) * o.channels,
          true};
}
UNMAR_DEVICE void put_product(const ProductOut& o, const RowPlace& place, int column, float v) {
  if (place.in_ring)
    place.data[column] = v;
  else
    put(place.data + column, o.bias ? v + o.bias[column] : v, o.accumulate);
}

}  // namespace unmar::cuda
