#pragma once

#include "engine/cuda/kernels/lanes.h"

/// Max pooling, a thread for each element.
namespace unmar::cuda {

/// The pixel of a window with the largest value, and that value; of equal ones the first, row by
/// row.
struct Largest {
  unsigned pixel;
  float value;
};
template <class Stored>
UNMAR_DEVICE Largest largest_of_window(const MaxPool& a, unsigned n, unsigned y, unsigned x,
                                       unsigned channel) {
  const unsigned w = static_cast<unsigned>(a.w), factor = static_cast<unsigned>(a.factor);
  const unsigned first = (n * static_cast<unsigned>(a.h) + y * factor) * w + x * factor;
  const auto value = [&](unsigned pixel) {
    return read_one<Stored>(a.src, pixel * a.src.ld + channel);
  };
  Largest best{first, value(first)};
  for (unsigned ky = 0; ky < factor; ++ky)
    for (unsigned kx = 0; kx < factor; ++kx) {
      const unsigned pixel = first + ky * w + kx;
      const float v = value(pixel);
      if (v > best.value) best = {pixel, v};
    }
  return best;
}

UNMAR_VALUE_KERNEL(max_pool, MaxPool) {
  const unsigned i = element();
  if (i >= a.count) return;
  const Where to = where(i, a.dst_h, a.dst_w, a.c);
  const float most = largest_of_window<Stored>(a, to.n, to.y, to.x, to.channel).value;
  put<Stored>(a.dst, place_of(i, a.c, a.dst.ld), most, false);
}

/// A thread for each source element, which asks whether it was the largest.
UNMAR_VALUE_KERNEL(max_pool_grad, MaxPool) {
  const unsigned i = element();
  if (i >= a.count) return;
  const Where from = where(i, a.h, a.w, a.c);
  const unsigned factor = static_cast<unsigned>(a.factor), y = from.y / factor, x = from.x / factor;
  const unsigned dst_h = static_cast<unsigned>(a.dst_h), dst_w = static_cast<unsigned>(a.dst_w);
  float d = 0.f;
  if (y < dst_h && x < dst_w &&
      largest_of_window<Stored>(a, from.n, y, x, from.channel).pixel ==
          i / static_cast<unsigned>(a.c))
    d = read_one<Stored>(a.d_dst, ((from.n * dst_h + y) * dst_w + x) * a.d_dst.ld + from.channel);
  put<Stored>(a.dst, place_of(i, a.c, a.dst.ld), d, a.accumulate);
}

}  // namespace unmar::cuda
