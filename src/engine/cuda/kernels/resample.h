#pragma once

#include "engine/cuda/kernels/lanes.h"

/// dst = rows src cols, two sparse matrices: resizing, reduction, average pooling, crop, padding,
/// copies; with the transposed matrices their gradients.
namespace unmar::cuda {

UNMAR_DEVICE void add_scaled(Float4& sum, float weight, Float4 v) {
  sum.x += weight * v.x;
  sum.y += weight * v.y;
  sum.z += weight * v.z;
  sum.w += weight * v.w;
}

UNMAR_VALUE_KERNEL(resample, Resample) {
  const Lanes lanes(a.pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  const PixelSpot to = spot_of(lanes.pixel, a.dst_h, a.dst_w);
  const unsigned cell = static_cast<unsigned>(to.n * a.c + lanes.channel);
  const FoldedLanes fold(a.fold, cell, lanes.count, a.wide);
  Float4 sum{0.f, 0.f, 0.f, 0.f};
  for (int r = a.rows.begin[to.y]; r < a.rows.begin[to.y + 1]; ++r) {
    const long long first = static_cast<long long>(to.n * a.h + a.rows.index[r]) * a.w;
    Float4 of_row{0.f, 0.f, 0.f, 0.f};
    for (int k = a.cols.begin[to.x]; k < a.cols.begin[to.x + 1]; ++k)
      add_scaled(of_row, a.cols.weight[k],
                 fold(read_lanes<Stored>(
                     a.src, (first + a.cols.index[k]) * a.src.ld + lanes.channel, lanes.count)));
    add_scaled(sum, a.rows.weight[r], of_row);
  }
  lanes.put<Stored>(a.dst, sum, a.accumulate);
}

}  // namespace unmar::cuda
