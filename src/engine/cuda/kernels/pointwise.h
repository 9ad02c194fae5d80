#pragma once

#include "engine/cuda/kernels/lanes.h"

/// One thread for each element of the result, or for four.
namespace unmar::cuda {

UNMAR_KERNEL(fill, Fill, 256) {
  const unsigned long long i = blockIdx.x * 256ull + threadIdx.x;
  if (i < a.count) a.dst[i] = a.value;
}

UNMAR_KERNEL(copy, Copy, 256) {
  const Lanes lanes(a.pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  lanes.put(a.dst + lanes.place(a.dst_ld), lanes.read(a.src + lanes.place(a.src_ld)), a.accumulate);
}

UNMAR_KERNEL(to_channels_last, Reorder, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const unsigned c = static_cast<unsigned>(a.c), p = i / c, channel = i - p * c;
  const unsigned n = p / a.pixels, pixel = p - n * a.pixels;
  a.dst[place_of(i, a.c, a.ld)] =
      a.src[(static_cast<unsigned long long>(n) * c + channel) * a.pixels + pixel];
}

UNMAR_KERNEL(from_channels_last, Reorder, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const unsigned c = static_cast<unsigned>(a.c), plane = i / a.pixels, pixel = i - plane * a.pixels;
  const unsigned n = plane / c, channel = plane - n * c;
  const unsigned long long p = static_cast<unsigned long long>(n) * a.pixels + pixel;
  a.dst[i] = a.src[p * static_cast<unsigned long long>(a.ld) + channel];
}

UNMAR_KERNEL(put_seed, Seed, 1) { *a.dst = a.pass->from == a.node ? a.pass->seed : 0.f; }

UNMAR_KERNEL(put_cotangent, Cotangent, 256) {
  const Copy& copy = a.copy;
  const Lanes lanes(copy.pixels, copy.c, copy.wide);
  if (!lanes.is_there) return;
  Float4 v{0.f, 0.f, 0.f, 0.f};
  if (a.pass->from == a.node) v = lanes.read(copy.src + lanes.place(copy.src_ld));
  lanes.put(copy.dst + lanes.place(copy.dst_ld), v, copy.accumulate);
}

UNMAR_KERNEL(activation, Activate, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  a.dst[place_of(i, a.c, a.dst_ld)] = activate(a.act, a.src[place_of(i, a.c, a.src_ld)]);
}

UNMAR_KERNEL(activation_grad, Activate, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const float slope = slope_at(a.act, a.src[place_of(i, a.c, a.src_ld)]);
  put(a.dst + place_of(i, a.c, a.dst_ld), a.d_dst[place_of(i, a.c, a.d_dst_ld)] * slope,
      a.accumulate);
}

/// A thread has the four elements of one Philox block. Box-Muller as in base/philox.h, in float.
UNMAR_KERNEL(jitter, Noise, 256) {
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
      a.dst[place_of(i, a.c, a.dst_ld)] = a.src[place_of(i, a.c, a.src_ld)] + a.amount * noise[k];
  }
}

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
      put(a.dst + place_of(i, a.c, a.dst_ld), a.src[place_of(i, a.c, a.src_ld)] * factor[k],
          a.accumulate);
  }
}

UNMAR_DEVICE float second(const Binary& a, unsigned i) {
  const unsigned c = static_cast<unsigned>(a.c), p = i / c;
  if (a.b_pixels)
    return a.b[static_cast<unsigned long long>(p / a.b_pixels) *
                   static_cast<unsigned long long>(a.b_ld) +
               (i - p * c)];
  if (a.b_one_channel) return a.b[p * static_cast<unsigned long long>(a.b_ld)];
  return a.b[place_of(i, a.c, a.b_ld)];
}

UNMAR_KERNEL(add, Binary, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  a.dst[place_of(i, a.c, a.dst_ld)] = a.a[place_of(i, a.c, a.a_ld)] + second(a, i);
}

UNMAR_KERNEL(multiply, Binary, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  put(a.dst + place_of(i, a.c, a.dst_ld), a.a[place_of(i, a.c, a.a_ld)] * second(a, i),
      a.accumulate);
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

/// Adam as in engine/adam.h; its factors come from the host.
UNMAR_KERNEL(adam, AdamArgs, 256) {
  const unsigned long long i = blockIdx.x * 256ull + threadIdx.x;
  const Pass& pass = *a.pass;
  if (i >= a.count || !pass.update) return;
  const float g = a.grad[i] * pass.grad_scale;
  const float m = pass.beta1 * a.m[i] + (1.f - pass.beta1) * g;
  const float v = pass.beta2 * a.v[i] + (1.f - pass.beta2) * g * g;
  const float p = a.value[i] - pass.rate * m / (square_root(v) * pass.inv_root + pass.eps);
  a.m[i] = m;
  a.v[i] = v;
  a.value[i] = p;
  if (!a.average) return;
  const float old = a.average[i];
  a.average[i] = pass.average_share == 1.f ? p : old + pass.average_share * (p - old);
}

UNMAR_KERNEL(report, Report, 1) {
  a.dst[0] = *a.loss;
  a.dst[1] = *a.squares;
}

}  // namespace unmar::cuda
