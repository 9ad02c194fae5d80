#pragma once

#include "engine/cuda/kernels/lanes.h"

/// A thread for each element of the result, or for four.
namespace unmar::cuda {

UNMAR_VALUE_KERNEL(copy, Copy) {
  const Lanes lanes(a.pixels, a.c, a.wide);
  if (lanes.is_there) lanes.put<Stored>(a.dst, lanes.read<Stored>(a.src), a.accumulate);
}

UNMAR_VALUE_KERNEL(activation, Activate) {
  const Lanes lanes(a.pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  const Float4 v = lanes.read<Stored>(a.src);
  const auto one = [&](unsigned, float x, float) { return activate(a.act, x); };
  lanes.put<Stored>(a.dst, lane_by_lane(lanes.count, v, v, one), false);
}

UNMAR_VALUE_KERNEL(activation_grad, Activate) {
  const Lanes lanes(a.pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  const Float4 v = lanes.read<Stored>(a.src), d = lanes.read<Stored>(a.d_dst);
  const auto one = [&](unsigned, float x, float d_x) { return d_x * slope_at(a.act, x); };
  lanes.put<Stored>(a.dst, lane_by_lane(lanes.count, v, d, one), a.accumulate);
}

/// A thread has the four elements of one Philox block. Box-Muller as in base/philox.h, in float.
UNMAR_VALUE_KERNEL(jitter, Noise) {
  const unsigned block = element();
  if (block >= (a.count + 3) / 4) return;
  float noise[4] = {};
  if (a.pass->jitter) {
    const Words words = philox(block, static_cast<unsigned long long>(a.pass->iteration), a.key);
#pragma unroll
    for (int pair = 0; pair < 4; pair += 2) {
      const float log = logarithm(1.f - to_unit(words.w[pair]));
      const float radius = square_root(log < 0.f ? -2.f * log : 0.f);
      float s, c;
      sine_cosine_of_turns(to_unit(words.w[pair + 1]), s, c);
      noise[pair] = radius * c;
      noise[pair + 1] = radius * s;
    }
  }
#pragma unroll
  for (unsigned k = 0; k < 4; ++k) {
    const unsigned i = 4 * block + k;
    if (i < a.count)
      put<Stored>(a.dst, place_of(i, a.c, a.dst.ld),
                  read_one<Stored>(a.src, place_of(i, a.c, a.src.ld)) + a.amount * noise[k], false);
  }
}

UNMAR_VALUE_KERNEL(add, Sum) {
  const Lanes lanes(a.pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  const long long b_at = lanes.pixel / a.b_pixels * a.b.ld + lanes.channel;
  lanes.put<Stored>(
      a.dst, sum_of(lanes.read<Stored>(a.a), read_lanes<Stored>(a.b, b_at, lanes.count)), false);
}

}  // namespace unmar::cuda
