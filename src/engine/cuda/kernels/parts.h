#pragma once

#include "engine/cuda/kernels/product_out.h"

/// What is left to do behind a product.
namespace unmar::cuda {

/// The parts of a split sum, in their order.
UNMAR_VALUE_KERNEL(sum_parts, ProductOut) {
  const unsigned columns = static_cast<unsigned>(a.columns);
  const unsigned count = static_cast<unsigned>(a.rows) * columns, i = element();
  if (i >= count) return;
  const unsigned row = i / columns;
  const RowPlace place = place_of_row<Stored>(a, static_cast<int>(row));
  if (!place.data) return;
  float sum = 0.f;
  for (int k = 0; k < a.splits; ++k) sum += a.parts[static_cast<unsigned long long>(k) * count + i];
  put_product<Stored>(a, place, static_cast<int>(i - row * columns), sum);
}

UNMAR_VALUE_KERNEL(add_mirrored, AddMirrored) {
  const unsigned i = element();
  if (i >= a.count) return;
  const ProductRows& to = a.out.to;
  const unsigned channels = static_cast<unsigned>(a.out.columns), p = i / channels;
  const int ends = a.top + a.bottom, sides = a.left + a.right;
  const unsigned in_ends = static_cast<unsigned>(ends) * static_cast<unsigned>(to.w);
  const unsigned picture = in_ends + static_cast<unsigned>((to.h - ends) * sides);
  const int n = static_cast<int>(p / picture);
  const unsigned at = p - static_cast<unsigned>(n) * picture;
  int y, x;
  if (at < in_ends) {
    y = static_cast<int>(at) / to.w;
    x = static_cast<int>(at) - y * to.w;
    if (y >= a.top) y += to.h - ends;
  } else {
    const int side = static_cast<int>(at - in_ends);
    y = side / sides;
    x = side - y * sides;
    y += a.top;
    if (x >= a.left) x += to.w - sides;
  }
  float sum = 0.f;
  for (int v = 0; v < 3; ++v)
    for (int u = 0; u < 3; ++u) {
      int row, column;
      if ((v == 0 && u == 0) || !padded_position(v, y, to.h, 1, row) ||
          !padded_position(u, x, to.w, 1, column))
        continue;
      row += to.top;
      column += to.left;
      if (row < 0 || row >= to.high || column < 0 || column >= to.wide) continue;
      sum += to.ring[static_cast<long long>(ring_index(to, n, row, column)) * a.out.channels +
                     (i - p * channels)];
    }
  put<Stored>(
      a.out.out,
      ((static_cast<long long>(n) * to.h + y) * to.w + x) * a.out.out.ld + (i - p * channels), sum,
      true);
}

}  // namespace unmar::cuda
