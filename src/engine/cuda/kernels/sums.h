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

/// Two sums of each of 32 channels over the pixels of a chunk: rows of threads, 8 of 32 with a
/// channel each, or 32 of 8 with four.
struct ChannelTile {
  float first[32][32], second[32][32];
};
/// The pixels of chunk blockIdx.x of group blockIdx.z, and this thread's channels in them.
struct ChunkRange {
  unsigned begin, end, row, rows;
  int channel, count;  ///< of channels: 0 if there are none for this thread
};
UNMAR_DEVICE ChunkRange chunk_range(unsigned chunk, unsigned pixels, int c, int wide) {
  ChunkRange r;
  r.begin = blockIdx.x * chunk;
  r.end = r.begin + chunk < pixels ? r.begin + chunk : pixels;
  r.rows = wide ? 32 : 8;
  const unsigned across = 256 / r.rows;
  r.row = threadIdx.x / across;
  r.channel = static_cast<int>(blockIdx.y * 32 + threadIdx.x % across * (wide ? 4 : 1));
  r.count = r.channel >= c ? 0 : wide ? 4 : 1;
  return r;
}
UNMAR_DEVICE void write_lanes(float* p, Float4 v, int count) {
  p[0] = v.x;
  if (count == 1) return;
  p[1] = v.y, p[2] = v.z, p[3] = v.w;
}
/// What the rows of threads have summed up of one channel, for the first 32 threads.
struct ChannelSums {
  int channel;  ///< -1: none
  float first, second;
};
UNMAR_DEVICE ChannelSums sum_rows(ChannelTile& tile, const ChunkRange& r, int c, Float4 first,
                                  Float4 second) {
  const int lane = r.channel - static_cast<int>(blockIdx.y) * 32;
  if (r.count > 0) {
    write_lanes(tile.first[r.row] + lane, first, r.count);
    write_lanes(tile.second[r.row] + lane, second, r.count);
  }
  __syncthreads();
  const unsigned t = threadIdx.x;
  ChannelSums sums{static_cast<int>(blockIdx.y * 32 + t), 0.f, 0.f};
  if (t >= 32 || sums.channel >= c) return {-1, 0.f, 0.f};
  for (unsigned row = 0; row < r.rows; ++row) {
    sums.first += tile.first[row][t];
    sums.second += tile.second[row][t];
  }
  return sums;
}
/// Where the part of this block's chunk and this thread's channel goes.
UNMAR_DEVICE unsigned long long part_index(int chunks, int c, int channel) {
  return (static_cast<unsigned long long>(blockIdx.z) * static_cast<unsigned>(chunks) +
          blockIdx.x) *
             static_cast<unsigned>(c) +
         static_cast<unsigned>(channel);
}

UNMAR_KERNEL(column_sums, ColumnSums, 256) {
  UNMAR_SHARED(ChannelTile, tile);
  const ChunkRange r = chunk_range(a.chunk, a.pixels, a.c, a.wide);
  const float* src = a.src + blockIdx.z * a.pixels * a.ld + r.channel;
  Float4 sum{0.f, 0.f, 0.f, 0.f};
  if (r.count > 0)
#pragma unroll 8
    for (unsigned p = r.begin + r.row; p < r.end; p += r.rows) {
      const Float4 v = read_lanes(src + p * a.ld, r.count);
      sum = {sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w};
    }
  const ChannelSums sums = sum_rows(tile, r, a.c, sum, sum);
  if (sums.channel >= 0) a.parts[part_index(a.chunks, a.c, sums.channel)] = sums.first;
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
