#pragma once

#include "engine/cuda/kernels/lanes.h"

/// Sums over many pixels, in two launches: parts, then the sum of the parts. Every order is fixed,
/// so that the same values give the same bits.
namespace unmar::cuda {

template <class T, int kThreads>
struct Tree {
  T value[kThreads];
};
/// The sum over the threads of a block, which all of them get.
template <class T, int kThreads>
UNMAR_DEVICE T sum_of_block(Tree<T, kThreads>& tree, T value) {
  const unsigned t = threadIdx.x;
  __syncthreads();  // what the tree held may still be read
  tree.value[t] = value;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (t < half) tree.value[t] += tree.value[t + half];
    __syncthreads();
  }
  return tree.value[0];
}

/// A block for each channel and group.
UNMAR_KERNEL(column_finish, ColumnFinish, 128) {
  using DoubleTree = Tree<double, 128>;
  UNMAR_SHARED(DoubleTree, tree);
  const unsigned channel = blockIdx.x, group = blockIdx.y, c = static_cast<unsigned>(a.c);
  double sum = 0;
  for (unsigned k = threadIdx.x; k < static_cast<unsigned>(a.chunks); k += 128)
    sum += static_cast<double>(
        a.parts[(static_cast<unsigned long long>(group) * static_cast<unsigned>(a.chunks) + k) * c +
                channel]);
  sum = sum_of_block(tree, sum);
  if (threadIdx.x == 0)
    put(a.dst + group * a.dst_ld + channel, static_cast<float>(sum), a.accumulate);
}

/// Of one element; the gradient by b is minus that by a, but for the kind that is named after it.
UNMAR_DEVICE float loss_of(int kind, float a, float b) {
  if (kind == sum_cross_entropy)  // log(1 + e^a) - a b without an e^a that overflows
    return (a > 0.f ? a : 0.f) - a * b + logarithm(1.f + exponential(-absolute(a)));
  const float d = a - b;
  return kind == sum_square_differences ? d * d : absolute(d);
}
UNMAR_DEVICE float loss_slope(int kind, float a, float b) {
  if (kind == sum_cross_entropy_by_target) return a;
  if (kind == sum_cross_entropy) return 1.f / (1.f + exponential(-a)) - b;
  const float d = a - b;
  if (kind == sum_square_differences) return 2.f * d;
  return d > 0.f ? 1.f : d < 0.f ? -1.f : 0.f;
}

UNMAR_KERNEL(sums, Sums, 256) {
  using FloatTree = Tree<float, 256>;
  UNMAR_SHARED(FloatTree, tree);
  const unsigned long long begin = blockIdx.x * a.chunk;
  const unsigned long long end = begin + a.chunk < a.count ? begin + a.chunk : a.count;
  float sum = 0.f;
  for (unsigned long long i = begin + threadIdx.x; i < end; i += 256) {
    if (a.kind == sum_squares) {
      sum += a.a[i] * a.a[i];
      continue;
    }
    const unsigned at = static_cast<unsigned>(i);
    sum += loss_of(a.kind, a.a[place_of(at, a.c, a.a_ld)], a.b[place_of(at, a.c, a.b_ld)]);
  }
  sum = sum_of_block(tree, sum);
  if (threadIdx.x == 0) a.parts[blockIdx.x] = sum;
}

UNMAR_KERNEL(sum_finish, SumFinish, 256) {
  using DoubleTree = Tree<double, 256>;
  UNMAR_SHARED(DoubleTree, tree);
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < a.count; i += 256)
    sum += static_cast<double>(a.parts[i]);
  sum = sum_of_block(tree, sum);
  if (threadIdx.x == 0) *a.dst = static_cast<float>(sum * a.factor);
}

UNMAR_KERNEL(difference_grad, DifferenceGrad, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const float slope =
      loss_slope(a.kind, a.a[place_of(i, a.c, a.a_ld)], a.b[place_of(i, a.c, a.b_ld)]);
  put(a.dst + place_of(i, a.c, a.dst_ld), *a.d_loss * a.factor * slope, a.accumulate);
}

/// An element's place in the picture, for total variation.
struct Spot {
  unsigned x, y;
  const float* at;
};
UNMAR_DEVICE Spot spot(const Variation& a, unsigned i) {
  const unsigned c = static_cast<unsigned>(a.c), w = static_cast<unsigned>(a.w);
  const unsigned p = i / c, row = p / w;
  return {p - row * w, row % static_cast<unsigned>(a.h),
          a.src + p * static_cast<unsigned long long>(a.src_ld) + (i - p * c)};
}

UNMAR_KERNEL(variation, Variation, 256) {
  using FloatTree = Tree<float, 256>;
  UNMAR_SHARED(FloatTree, tree);
  const unsigned begin = blockIdx.x * a.chunk;
  const unsigned end = begin + a.chunk < a.count ? begin + a.chunk : a.count;
  float sum = 0.f;
  for (unsigned i = begin + threadIdx.x; i < end; i += 256) {
    const Spot s = spot(a, i);
    if (s.x + 1 >= static_cast<unsigned>(a.w) || s.y + 1 >= static_cast<unsigned>(a.h)) continue;
    const float dx = s.at[a.src_ld] - *s.at, dy = s.at[a.w * a.src_ld] - *s.at;
    sum += power(dx * dx + dy * dy + a.eps, a.beta);
  }
  sum = sum_of_block(tree, sum);
  if (threadIdx.x == 0) a.parts[blockIdx.x] = sum;
}

/// 2 beta (dx^2 + dy^2 + eps)^(beta - 1) of the pixel at `at`, and its differences.
UNMAR_DEVICE float variation_slope(const Variation& a, const float* at, float& dx, float& dy) {
  dx = at[a.src_ld] - *at;
  dy = at[a.w * a.src_ld] - *at;
  const float square = dx * dx + dy * dy + a.eps;
  if (square == 0.f) return 0.f;  // flat and eps = 0: the kink counts as level
  if (a.beta == 0.5f) return 1.f / square_root(square);
  return 2.f * a.beta * power(square, a.beta - 1.f);
}

/// Each element gathers from the three pixels whose differences it is in.
UNMAR_KERNEL(variation_grad, Variation, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const Spot s = spot(a, i);
  const bool right = s.x + 1 < static_cast<unsigned>(a.w),
             below = s.y + 1 < static_cast<unsigned>(a.h);
  float sum = 0.f, dx, dy;
  if (right && below) {
    const float slope = variation_slope(a, s.at, dx, dy);
    sum -= slope * (dx + dy);
  }
  if (s.x > 0 && below) {
    const float slope = variation_slope(a, s.at - a.src_ld, dx, dy);
    sum += slope * dx;
  }
  if (s.y > 0 && right) {
    const float slope = variation_slope(a, s.at - a.w * a.src_ld, dx, dy);
    sum += slope * dy;
  }
  put(a.dst + place_of(i, a.c, a.dst_ld), *a.d_loss * a.factor * sum, a.accumulate);
}

}  // namespace unmar::cuda
