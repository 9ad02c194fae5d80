#pragma once

#include "engine/cuda/kernels/sums.h"

/// Norms: what is made of the sums over pictures. Cells that share mean and variance are a unit.
namespace unmar::cuda {

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
#pragma unroll 4  // reads that are on their way together
  for (int k = static_cast<int>(threadIdx.x); k < count; k += 128) {
    const PartOfUnit p = part_of_unit(u, k, a.unit_c, a.chunks);
    sum += pixels(p.chunk) * static_cast<double>(parts.first[parts.at(p.n, p.chunk, p.channel)]);
  }
  const double mean = sum_of_block(tree, sum) / total;
  double square = 0;
#pragma unroll 4
  for (int k = static_cast<int>(threadIdx.x); k < count; k += 128) {
    const PartOfUnit p = part_of_unit(u, k, a.unit_c, a.chunks);
    const unsigned long long at = parts.at(p.n, p.chunk, p.channel);
    const double d = static_cast<double>(parts.first[at]) - mean;
    square += static_cast<double>(parts.second[at]) + pixels(p.chunk) * d * d;
  }
  const double variance = sum_of_block(tree, square) / total;
  const float rstd = static_cast<float>(1.0 / square_root(variance + static_cast<double>(a.eps)));
  if (a.now_mean && threadIdx.x == 0) {
    a.now_mean[u.c0] = static_cast<float>(mean);
    a.now_variance[u.c0] = static_cast<float>(variance);
  }
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

/// A thread for each cell.
UNMAR_KERNEL(norm_running, NormRunning, 256) {
  const unsigned i = element(), c = static_cast<unsigned>(a.c), channel = i % c;
  if (i >= static_cast<unsigned>(a.n) * c) return;
  const double mean = static_cast<double>(a.mean[channel]);
  const float rstd = static_cast<float>(
      1.0 / square_root(static_cast<double>(a.variance[channel]) + static_cast<double>(a.eps)));
  const float scale = a.gamma[channel] * rstd;
  a.cell_mean[i] = a.mean[channel];
  a.cell_rstd[i] = rstd;
  a.scale[i] = scale;
  a.shift[i] =
      static_cast<float>(static_cast<double>(a.beta[channel]) - mean * static_cast<double>(scale));
  a.offset[i] = 0.f;
  a.slope[i] = 0.f;
}

UNMAR_KERNEL(norm_follow, NormFollow, 256) {
  const unsigned channel = element();
  if (channel >= static_cast<unsigned>(a.c) || !a.pass->update) return;
  const auto follow = [&](float& running, double now) {
    running =
        static_cast<float>(static_cast<double>(running) +
                           static_cast<double>(a.momentum) * (now - static_cast<double>(running)));
  };
  follow(a.mean[channel], static_cast<double>(a.now_mean[channel]));
  follow(a.variance[channel], static_cast<double>(a.now_variance[channel]) * a.unbiased);
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
  const bool of_channel = a.d_gamma || a.d_beta;  // gamma is one factor: sums without it serve both
  double sum = 0, sum_normal = 0;
  for (int k = static_cast<int>(threadIdx.x); k < a.unit_n * a.chunks * a.unit_c; k += 128) {
    const PartOfUnit p = part_of_unit(u, k, a.unit_c, a.chunks);
    const unsigned long long at = parts.at(p.n, p.chunk, p.channel);
    const double gamma = of_channel ? 1.0 : static_cast<double>(a.gamma[p.channel]);
    sum += gamma * static_cast<double>(parts.first[at]);
    sum_normal += gamma * static_cast<double>(parts.second[at]);
  }
  sum = sum_of_block(tree, sum);
  sum_normal = sum_of_block(tree, sum_normal);
  if (of_channel) {
    if (threadIdx.x == 0 && a.d_beta) a.d_beta[u.c0] = static_cast<float>(sum);
    if (threadIdx.x == 0 && a.d_gamma) a.d_gamma[u.c0] = static_cast<float>(sum_normal);
    sum *= static_cast<double>(a.gamma[u.c0]);
    sum_normal *= static_cast<double>(a.gamma[u.c0]);
  }
  const double total = static_cast<double>(a.pixels) * a.unit_n * a.unit_c;
  for (int k = static_cast<int>(threadIdx.x); k < a.unit_n * a.unit_c; k += 128) {
    const int cell = (u.n0 + k / a.unit_c) * a.c + u.c0 + k % a.unit_c;
    const double rstd = static_cast<double>(a.cell_rstd[cell]);
    a.offset[cell] = static_cast<float>(rstd * sum / total);
    a.slope[cell] = static_cast<float>(rstd * rstd * sum_normal / total);
  }
}

}  // namespace unmar::cuda
