#pragma once

#include "engine/cuda/kernels/lanes.h"

/// What surrounds the passes: values in and out, where backward starts, the parameters' update.
namespace unmar::cuda {

UNMAR_KERNEL(fill, Fill, 256) {
  const unsigned long long i = blockIdx.x * 256ull + threadIdx.x;
  if (i < a.count) a.dst[i] = a.value;
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
  if (a.pass->from == a.node) v = lanes.read<OnlyFp32>(copy.src);
  lanes.put<OnlyFp32>(copy.dst, v, copy.accumulate);
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
