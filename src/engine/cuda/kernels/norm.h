#pragma once

#include "engine/cuda/kernels/sums.h"

/// Norms in training mode, with the activation behind them. A cell is one channel of one picture;
/// cells that share mean and variance are a unit.
namespace unmar::cuda {

/// Mean and squared distances of each chunk, around the chunk's first value: nothing cancels.
UNMAR_KERNEL(norm_moments, NormMoments, 256) {
  UNMAR_SHARED(ChannelTile, tile);
  const ChunkRange r = chunk_range(a.chunk, a.pixels);
  const float* src = a.src + static_cast<unsigned long long>(blockIdx.z) * a.pixels *
                                 static_cast<unsigned long long>(a.ld);
  const bool mine = r.channel < a.c;
  const float base = mine ? src[r.begin * a.ld + r.channel] : 0.f;
  float sum = 0.f, square = 0.f;
  if (mine)
    for (unsigned p = r.begin + r.row; p < r.end; p += 8) {
      const float d = src[p * a.ld + r.channel] - base;
      sum += d;
      square += d * d;
    }
  sum_rows(tile, r, sum, square);
  if (r.row > 0 || !mine) return;
  const float count = static_cast<float>(r.end - r.begin);
  const unsigned long long part = part_index(a.chunks, a.c, r.channel);
  a.mean[part] = base + sum / count;
  a.square[part] = square - sum * sum / count;
}

/// The cells of unit blockIdx.x.
struct Unit {
  int n0, c0;
};
UNMAR_DEVICE Unit unit_of_block(int c, int unit_n, int unit_c) {
  const int across = c / unit_c, index = static_cast<int>(blockIdx.x);
  return {index / across * unit_n, index % across * unit_c};
}
struct NormParts {
  const float *first, *second;
  int c, chunks;
  UNMAR_DEVICE unsigned long long at(int n, int chunk, int channel) const {
    return (static_cast<unsigned long long>(n) * static_cast<unsigned>(chunks) +
            static_cast<unsigned>(chunk)) *
               static_cast<unsigned>(c) +
           static_cast<unsigned>(channel);
  }
};
/// Part k of a unit: its picture, chunk and channel.
struct PartOfUnit {
  int n, chunk, channel;
};
UNMAR_DEVICE PartOfUnit part_of_unit(Unit u, int k, int unit_c, int chunks) {
  const int row = k / unit_c;
  return {u.n0 + row / chunks, row % chunks, u.c0 + k % unit_c};
}

UNMAR_KERNEL(norm_finish, NormFinish, 128) {
  using DoubleTree = Tree<double, 128>;
  UNMAR_SHARED(DoubleTree, tree);
  const Unit u = unit_of_block(a.c, a.unit_n, a.unit_c);
  const NormParts parts{a.mean, a.square, a.c, a.chunks};
  const int count = a.unit_n * a.chunks * a.unit_c;
  const double total = static_cast<double>(a.pixels) * a.unit_n * a.unit_c;
  const auto pixels = [&](int chunk) {
    const unsigned begin = static_cast<unsigned>(chunk) * a.chunk;
    return static_cast<double>(begin + a.chunk < a.pixels ? a.chunk : a.pixels - begin);
  };
  double sum = 0;
  for (int k = static_cast<int>(threadIdx.x); k < count; k += 128) {
    const PartOfUnit p = part_of_unit(u, k, a.unit_c, a.chunks);
    sum += pixels(p.chunk) * static_cast<double>(parts.first[parts.at(p.n, p.chunk, p.channel)]);
  }
  const double mean = sum_of_block(tree, sum) / total;
  double square = 0;
  for (int k = static_cast<int>(threadIdx.x); k < count; k += 128) {
    const PartOfUnit p = part_of_unit(u, k, a.unit_c, a.chunks);
    const unsigned long long at = parts.at(p.n, p.chunk, p.channel);
    const double d = static_cast<double>(parts.first[at]) - mean;
    square += static_cast<double>(parts.second[at]) + pixels(p.chunk) * d * d;
  }
  const double variance = sum_of_block(tree, square) / total;
  const float rstd = static_cast<float>(1.0 / square_root(variance + static_cast<double>(a.eps)));
  for (int k = static_cast<int>(threadIdx.x); k < a.unit_n * a.unit_c; k += 128) {
    const int channel = u.c0 + k % a.unit_c, cell = (u.n0 + k / a.unit_c) * a.c + channel;
    const float scale = a.gamma[channel] * rstd;
    a.cell_mean[cell] = static_cast<float>(mean);
    a.cell_rstd[cell] = rstd;
    a.scale[cell] = scale;
    a.shift[cell] = static_cast<float>(static_cast<double>(a.beta[channel]) -
                                       mean * static_cast<double>(scale));
  }
}

/// Which cell element i = pixel * c + channel belongs to.
UNMAR_DEVICE unsigned cell_of(unsigned i, int c, unsigned pixels) {
  const unsigned channels = static_cast<unsigned>(c), p = i / channels;
  return p / pixels * channels + (i - p * channels);
}

UNMAR_KERNEL(norm_apply, NormApply, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  a.dst[place_of(i, a.c, a.dst_ld)] = activate(
      a.norm.act, before_act(a.norm, cell_of(i, a.c, a.pixels), a.src[place_of(i, a.c, a.src_ld)]));
}

/// Of d, the gradient in front of the activation, and of d times the normalised value.
UNMAR_KERNEL(norm_grad_sums, NormGradSums, 256) {
  UNMAR_SHARED(ChannelTile, tile);
  const ChunkRange r = chunk_range(a.chunk, a.pixels);
  const unsigned long long first = static_cast<unsigned long long>(blockIdx.z) * a.pixels;
  const bool mine = r.channel < a.c;
  float sum = 0.f, sum_normal = 0.f;
  if (mine) {
    const unsigned cell =
        blockIdx.z * static_cast<unsigned>(a.c) + static_cast<unsigned>(r.channel);
    const float mean = a.cell_mean[cell], rstd = a.cell_rstd[cell];
    for (unsigned p = r.begin + r.row; p < r.end; p += 8) {
      const float v = a.src[(first + p) * static_cast<unsigned long long>(a.src_ld) +
                            static_cast<unsigned>(r.channel)];
      const float d = a.d_dst[(first + p) * static_cast<unsigned long long>(a.d_dst_ld) +
                              static_cast<unsigned>(r.channel)] *
                      slope_at(a.norm.act, before_act(a.norm, cell, v));
      sum += d;
      sum_normal += d * ((v - mean) * rstd);
    }
  }
  sum_rows(tile, r, sum, sum_normal);
  if (r.row > 0 || !mine) return;
  const unsigned long long part = part_index(a.chunks, a.c, r.channel);
  a.sum[part] = sum;
  a.sum_normal[part] = sum_normal;
}

/// A block for each channel.
UNMAR_KERNEL(norm_grad_params, NormGradParams, 128) {
  using DoubleTree = Tree<double, 128>;
  UNMAR_SHARED(DoubleTree, tree);
  double sum = 0, sum_normal = 0;
  for (int k = static_cast<int>(threadIdx.x); k < a.n * a.chunks; k += 128) {
    const unsigned long long at =
        static_cast<unsigned long long>(k) * static_cast<unsigned>(a.c) + blockIdx.x;
    sum += static_cast<double>(a.sum[at]);
    sum_normal += static_cast<double>(a.sum_normal[at]);
  }
  sum = sum_of_block(tree, sum);
  sum_normal = sum_of_block(tree, sum_normal);
  if (threadIdx.x > 0) return;
  if (a.d_beta) a.d_beta[blockIdx.x] = static_cast<float>(sum);
  if (a.d_gamma) a.d_gamma[blockIdx.x] = static_cast<float>(sum_normal);
}

/// Mean and variance depend on every element: d_src = rstd (g - mean(g) - normal mean(g normal))
/// with g = gamma d. That is scale d - offset - slope (src - mean).
UNMAR_KERNEL(norm_grad_finish, NormGradFinish, 128) {
  using DoubleTree = Tree<double, 128>;
  UNMAR_SHARED(DoubleTree, tree);
  const Unit u = unit_of_block(a.c, a.unit_n, a.unit_c);
  const NormParts parts{a.sum, a.sum_normal, a.c, a.chunks};
  double sum = 0, sum_normal = 0;
  for (int k = static_cast<int>(threadIdx.x); k < a.unit_n * a.chunks * a.unit_c; k += 128) {
    const PartOfUnit p = part_of_unit(u, k, a.unit_c, a.chunks);
    const unsigned long long at = parts.at(p.n, p.chunk, p.channel);
    const double gamma = static_cast<double>(a.gamma[p.channel]);
    sum += gamma * static_cast<double>(parts.first[at]);
    sum_normal += gamma * static_cast<double>(parts.second[at]);
  }
  sum = sum_of_block(tree, sum);
  sum_normal = sum_of_block(tree, sum_normal);
  const double total = static_cast<double>(a.pixels) * a.unit_n * a.unit_c;
  for (int k = static_cast<int>(threadIdx.x); k < a.unit_n * a.unit_c; k += 128) {
    const int cell = (u.n0 + k / a.unit_c) * a.c + u.c0 + k % a.unit_c;
    const double rstd = static_cast<double>(a.cell_rstd[cell]);
    a.offset[cell] = static_cast<float>(rstd * sum / total);
    a.slope[cell] = static_cast<float>(rstd * rstd * sum_normal / total);
  }
}

UNMAR_KERNEL(norm_grad_apply, NormGradApply, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  const unsigned cell = cell_of(i, a.c, a.pixels);
  const float v = a.src[place_of(i, a.c, a.src_ld)];
  const float d =
      a.d_dst[place_of(i, a.c, a.d_dst_ld)] * slope_at(a.norm.act, before_act(a.norm, cell, v));
  const float g = a.norm.scale[cell] * d - a.offset[cell] - a.slope[cell] * (v - a.cell_mean[cell]);
  put(a.d_src + place_of(i, a.c, a.d_src_ld), g, a.accumulate);
}

}  // namespace unmar::cuda
