#pragma once

#include "engine/cuda/kernels/lanes.h"

/// What else makes pixels of other pixels, channel by channel: ops whose values are fp32.
namespace unmar::cuda {

UNMAR_DEVICE unsigned long long pixel_at(unsigned n, int y, int x, int h, int w) {
  return (static_cast<unsigned long long>(n) * static_cast<unsigned>(h) +
          static_cast<unsigned>(y)) *
             static_cast<unsigned>(w) +
         static_cast<unsigned>(x);
}

/// Every channel with the same taps, the one at ((h - 1) / 2, (w - 1) / 2) on the pixel itself.
UNMAR_KERNEL(filter, FilterArgs, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const Where to = where(i, a.h, a.w, a.c);
  float sum = 0.f;
  for (int ty = 0; ty < a.taps_h; ++ty) {
    const int y = source_index(static_cast<int>(to.y) + ty - (a.taps_h - 1) / 2, a.h, a.reflect);
    if (y < 0) continue;
    for (int tx = 0; tx < a.taps_w; ++tx) {
      const int x = source_index(static_cast<int>(to.x) + tx - (a.taps_w - 1) / 2, a.w, a.reflect);
      if (x >= 0)
        sum += a.taps[ty * a.taps_w + tx] *
               a.src[pixel_at(to.n, y, x, a.h, a.w) * static_cast<unsigned long long>(a.src_ld) +
                     to.channel];
    }
  }
  put(a.dst + place_of(i, a.c, a.dst_ld), sum, a.accumulate);
}

/// src is the gradient of the result. A pixel near an edge also stands for its mirror images.
UNMAR_KERNEL(filter_grad, FilterArgs, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const Where to = where(i, a.h, a.w, a.c);
  const int middle_y = (a.taps_h - 1) / 2, middle_x = (a.taps_w - 1) / 2;
  float sum = 0.f;
  for (int v = 0; v < 3; ++v) {
    int row, column;
    if (!padded_position(v, static_cast<int>(to.y), a.h, a.reflect, row)) continue;
    for (int ty = 0; ty < a.taps_h; ++ty) {
      const int y = row - ty + middle_y;
      if (y < 0 || y >= a.h) continue;
      for (int u = 0; u < 3; ++u) {
        if (!padded_position(u, static_cast<int>(to.x), a.w, a.reflect, column)) continue;
        for (int tx = 0; tx < a.taps_w; ++tx) {
          const int x = column - tx + middle_x;
          if (x >= 0 && x < a.w)
            sum +=
                a.taps[ty * a.taps_w + tx] *
                a.src[pixel_at(to.n, y, x, a.h, a.w) * static_cast<unsigned long long>(a.src_ld) +
                      to.channel];
        }
      }
    }
  }
  put(a.dst + place_of(i, a.c, a.dst_ld), sum, a.accumulate);
}

/// Element i of the enlarged side [n, h factor, w factor, c]: where its source lies.
UNMAR_DEVICE unsigned long long shuffled(const Shuffle& a, unsigned i, long long ld) {
  const unsigned f = static_cast<unsigned>(a.factor);
  const Where to = where(i, a.h * a.factor, a.w * a.factor, a.c);
  const unsigned place = to.y % f * f + to.x % f;
  const unsigned channel = a.channels_last ? place * static_cast<unsigned>(a.c) + to.channel
                                           : to.channel * f * f + place;
  return pixel_at(to.n, static_cast<int>(to.y / f), static_cast<int>(to.x / f), a.h, a.w) *
             static_cast<unsigned long long>(ld) +
         channel;
}

UNMAR_KERNEL(shuffle, Shuffle, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const float bias = a.bias ? a.bias[i % static_cast<unsigned>(a.c)] : 0.f;
  a.dst[place_of(i, a.c, a.dst_ld)] = a.src[shuffled(a, i, a.src_ld)] + bias;
}

/// src is the gradient of the enlarged side.
UNMAR_KERNEL(shuffle_grad, Shuffle, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  put(a.dst + shuffled(a, i, a.dst_ld), a.src[place_of(i, a.c, a.src_ld)], a.accumulate);
}

/// Each pixel of the picture is the sum of those of the blocks that reach it.
UNMAR_KERNEL(fold, Fold, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const Where to = where(i, a.dst_h, a.dst_w, a.c);
  const int y = static_cast<int>(to.y) + a.padding, x = static_cast<int>(to.x) + a.padding;
  float sum = a.bias ? a.bias[to.channel] : 0.f;
  for (int ky = y % a.stride; ky < a.kernel && ky <= y; ky += a.stride) {
    const int row = (y - ky) / a.stride;
    if (row >= a.h) continue;
    for (int kx = x % a.stride; kx < a.kernel && kx <= x; kx += a.stride) {
      const int column = (x - kx) / a.stride;
      if (column >= a.w) continue;
      const unsigned channel = static_cast<unsigned>((ky * a.kernel + kx) * a.c) + to.channel;
      sum +=
          a.src[pixel_at(to.n, row, column, a.h, a.w) * static_cast<unsigned long long>(a.src_ld) +
                channel];
    }
  }
  put(a.dst + place_of(i, a.c, a.dst_ld), sum, a.accumulate);
}

/// src is the gradient of the picture; what a block has outside of it gets none.
UNMAR_KERNEL(fold_grad, Fold, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const int channels = a.kernel * a.kernel * a.c;
  const Where from = where(i, a.h, a.w, channels);
  const unsigned c = static_cast<unsigned>(a.c), tap = from.channel / c;
  const int y = static_cast<int>(from.y) * a.stride - a.padding + static_cast<int>(tap) / a.kernel;
  const int x = static_cast<int>(from.x) * a.stride - a.padding + static_cast<int>(tap) % a.kernel;
  const bool inside = y >= 0 && y < a.dst_h && x >= 0 && x < a.dst_w;
  const float d = inside ? a.src[pixel_at(from.n, y, x, a.dst_h, a.dst_w) *
                                     static_cast<unsigned long long>(a.src_ld) +
                                 from.channel % c]
                         : 0.f;
  put(a.dst + place_of(i, channels, a.dst_ld), d, a.accumulate);
}

}  // namespace unmar::cuda
