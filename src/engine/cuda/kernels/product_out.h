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
  void* data;
  bool in_ring;
};
template <class Stored>
UNMAR_DEVICE RowPlace place_of_row(const ProductOut& o, int row) {
  if (row >= o.rows) return {nullptr, false};
  const ProductRows& to = o.to;
  const PixelSpot spot = spot_of(static_cast<unsigned>(row), to.row_h, to.row_w);
  const int y = spot.y * to.scale + to.first_y, x = spot.x * to.scale + to.first_x;
  if (y >= 0 && y < to.h && x >= 0 && x < to.w)
    return {address_of<Stored>(o.out,
                               ((static_cast<long long>(spot.n) * to.h + y) * to.w + x) * o.out.ld),
            false};
  if (!to.ring) return {nullptr, false};
  return {to.ring +
              static_cast<long long>(ring_index(to, spot.n, y + to.top, x + to.left)) * o.channels,
          true};
}
/// The values of that row: what is in the ring is fp32.
UNMAR_DEVICE Values row_of(const ProductOut& o, const RowPlace& place) {
  return {place.data, 0, place.in_ring ? 0 : o.out.bf16};
}
template <class Stored>
UNMAR_DEVICE void put_product(const ProductOut& o, const RowPlace& place, int column, float v) {
  const bool outside = place.in_ring;
  put<Stored>(row_of(o, place), column, !outside && o.bias ? v + o.bias[column] : v,
              !outside && o.accumulate);
}

}  // namespace unmar::cuda
