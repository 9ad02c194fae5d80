#pragma once

#include "engine/cuda/kernels/lanes.h"

/// A thread for each element of the result: ops whose values are fp32.
namespace unmar::cuda {

UNMAR_KERNEL(dropout, Noise, 256) {
  const unsigned block = element();
  if (block >= (a.count + 3) / 4) return;
  float factor[4] = {1.f, 1.f, 1.f, 1.f};
  if (a.pass->jitter) {
    const Words words = philox(block, static_cast<unsigned long long>(a.pass->iteration), a.key);
#pragma unroll
    for (int k = 0; k < 4; ++k)
      factor[k] = to_unit(words.w[k]) < a.amount ? 0.f : 1.f / (1.f - a.amount);
  }
#pragma unroll
  for (unsigned k = 0; k < 4; ++k) {
    const unsigned i = 4 * block + k;
    if (i < a.count)
      put<OnlyFp32>(a.dst, place_of(i, a.c, a.dst.ld),
                    read_one<OnlyFp32>(a.src, place_of(i, a.c, a.src.ld)) * factor[k],
                    a.accumulate);
  }
}

UNMAR_KERNEL(multiply, Binary, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const float b =
      a.b[a.b_one_channel ? i / static_cast<unsigned>(a.c) * static_cast<unsigned long long>(a.b_ld)
                          : place_of(i, a.c, a.b_ld)];
  put(a.dst + place_of(i, a.c, a.dst_ld), a.a[place_of(i, a.c, a.a_ld)] * b, a.accumulate);
}

UNMAR_KERNEL(channel_dot, ChannelDot, 256) {
  const unsigned p = element();
  if (p >= a.pixels) return;
  float sum = 0.f;
  for (int c = 0; c < a.c; ++c) sum += a.a[p * a.a_ld + c] * a.b[p * a.b_ld + c];
  put(a.dst + p * a.dst_ld, sum, a.accumulate);
}

UNMAR_KERNEL(scaled, Scaled, 1) { put(a.dst, a.weight * *a.src, a.accumulate); }

UNMAR_KERNEL(time_embedding, TimeWaves, 256) {
  const unsigned i = element(), half = static_cast<unsigned>(a.half);
  if (i >= static_cast<unsigned>(a.n) * half) return;
  const unsigned n = i / half, wave = i - n * half;
  double s, c;
  sine_cosine(static_cast<double>(a.times[n * a.times_ld]) * a.frequency[wave], s, c);
  float* dst = a.dst + n * a.dst_ld;
  dst[a.cos_first ? half + wave : wave] = static_cast<float>(s);
  dst[a.cos_first ? wave : half + wave] = static_cast<float>(c);
}

/// A thread for each time.
UNMAR_KERNEL(time_embedding_grad, TimeWaves, 32) {
  const unsigned n = blockIdx.x * 32u + threadIdx.x, half = static_cast<unsigned>(a.half);
  if (n >= static_cast<unsigned>(a.n)) return;
  const float* d = a.d_dst + n * a.d_dst_ld;
  double sum = 0;
  for (unsigned wave = 0; wave < half; ++wave) {
    double s, c;
    sine_cosine(static_cast<double>(a.times[n * a.times_ld]) * a.frequency[wave], s, c);
    sum += a.frequency[wave] * (static_cast<double>(d[a.cos_first ? half + wave : wave]) * c -
                                static_cast<double>(d[a.cos_first ? wave : half + wave]) * s);
  }
  put(a.dst + n * a.dst_ld, static_cast<float>(sum), a.accumulate);
}

}  // namespace unmar::cuda
