#pragma once

#include "engine/cuda/kernels/sums.h"

/// Norms in training mode, with the activation behind them. A cell is one channel of one picture;
/// cells that share mean and variance are a unit.
namespace unmar::cuda {

/// Mean and squared distances of each chunk, around the chunk's first value: nothing cancels.
UNMAR_KERNEL(norm_moments, NormMoments, 256) {
  UNMAR_SHARED(ChannelTile, tile);
  const ChunkRange r = chunk_range(a.chunk, a.pixels, a.c, a.wide);
  const float* src = a.src + static_cast<unsigned long long>(blockIdx.z) * a.pixels *
                                 static_cast<unsigned long long>(a.ld);
  Float4 sum{0.f, 0.f, 0.f, 0.f}, square{0.f, 0.f, 0.f, 0.f};
  if (r.count > 0) {
    const Float4 base = read_lanes(src + r.begin * a.ld + r.channel, r.count);
#pragma unroll 8
    for (unsigned p = r.begin + r.row; p < r.end; p += r.rows) {
      const Float4 v = read_lanes(src + p * a.ld + r.channel, r.count);
      const Float4 d{v.x - base.x, v.y - base.y, v.z - base.z, v.w - base.w};
      sum = {sum.x + d.x, sum.y + d.y, sum.z + d.z, sum.w + d.w};
      square = {square.x + d.x * d.x, square.y + d.y * d.y, square.z + d.z * d.z,
                square.w + d.w * d.w};
    }
  }
  const ChannelSums sums = sum_rows(tile, r, a.c, sum, square);
  if (sums.channel < 0) return;
  const float count = static_cast<float>(r.end - r.begin);
  const float first = src[r.begin * a.ld + sums.channel];
  const unsigned long long part = part_index(a.chunks, a.c, sums.channel);
  a.mean[part] = first + sums.first / count;
  a.square[part] = sums.second - sums.first * sums.first / count;
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

/// The cell of the first of a thread's channels.
UNMAR_DEVICE unsigned cell_of(const Lanes& lanes, int c, unsigned pixels) {
  return lanes.pixel / pixels * static_cast<unsigned>(c) + static_cast<unsigned>(lanes.channel);
}

UNMAR_KERNEL(norm_apply, NormApply, 256) {
  const Lanes lanes(a.all_pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  const unsigned cell = cell_of(lanes, a.c, a.pixels);
  const Float4 v = lanes.read(a.src + lanes.place(a.src_ld));
  lanes.put(a.dst + lanes.place(a.dst_ld),
            lanes.each(v,
                       [&](unsigned k, float one) {
                         return activate(a.norm.act, before_act(a.norm, cell + k, one));
                       }),
            false);
}

/// Of d, the gradient in front of the activation, and of d times the normalised value.
UNMAR_KERNEL(norm_grad_sums, NormGradSums, 256) {
  UNMAR_SHARED(ChannelTile, tile);
  const ChunkRange r = chunk_range(a.chunk, a.pixels, a.c, a.wide);
  const unsigned long long first = static_cast<unsigned long long>(blockIdx.z) * a.pixels;
  const float* src = a.src + first * static_cast<unsigned long long>(a.src_ld) + r.channel;
  const float* d_dst = a.d_dst + first * static_cast<unsigned long long>(a.d_dst_ld) + r.channel;
  const unsigned cell = blockIdx.z * static_cast<unsigned>(a.c) + static_cast<unsigned>(r.channel);
  Float4 sum{0.f, 0.f, 0.f, 0.f}, normal{0.f, 0.f, 0.f, 0.f};
  if (r.count > 0) {
    const auto cells = [&](const float* of) { return read_lanes(of + cell, r.count); };
    const Float4 mean = cells(a.cell_mean), rstd = cells(a.cell_rstd);
    const Float4 scale = cells(a.norm.scale), shift = cells(a.norm.shift);
    const auto add_pixel = [&](unsigned p, const auto& slope) {
      const auto add = [&](float& s, float& n, float v, float d_out, float by, float to, float m,
                           float rs) {
        const float d = d_out * slope(v * by + to);
        s += d;
        n += d * ((v - m) * rs);
      };
      const Float4 v = read_lanes(src + p * a.src_ld, r.count);
      const Float4 d = read_lanes(d_dst + p * a.d_dst_ld, r.count);
      add(sum.x, normal.x, v.x, d.x, scale.x, shift.x, mean.x, rstd.x);
      if (r.count == 1) return;
      add(sum.y, normal.y, v.y, d.y, scale.y, shift.y, mean.y, rstd.y);
      add(sum.z, normal.z, v.z, d.z, scale.z, shift.z, mean.z, rstd.z);
      add(sum.w, normal.w, v.w, d.w, scale.w, shift.w, mean.w, rstd.w);
    };
    const unsigned begin = r.begin + r.row;
    if (is_straight(a.norm.act)) {
      const float below = slope_below(a.norm.act);
#pragma unroll 4
      for (unsigned p = begin; p < r.end; p += r.rows)
        add_pixel(p, [&](float x) { return x > 0.f ? 1.f : below; });
    } else {  // written out once only, for a driver takes its time over it
#pragma unroll 1
      for (unsigned p = begin; p < r.end; p += r.rows)
        add_pixel(p, [&](float x) { return slope_at(a.norm.act, x); });
    }
  }
  const ChannelSums sums = sum_rows(tile, r, a.c, sum, normal);
  if (sums.channel < 0) return;
  const unsigned long long part = part_index(a.chunks, a.c, sums.channel);
  a.sum[part] = sums.first;
  a.sum_normal[part] = sums.second;
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

UNMAR_KERNEL(norm_grad_apply, NormGradApply, 256) {
  const Lanes lanes(a.all_pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  const unsigned cell = cell_of(lanes, a.c, a.pixels);
  const Float4 v = lanes.read(a.src + lanes.place(a.src_ld));
  const Float4 d = lanes.read(a.d_dst + lanes.place(a.d_dst_ld));
  const float values[] = {v.x, v.y, v.z, v.w};
  lanes.put(a.d_src + lanes.place(a.d_src_ld),
            lanes.each(d,
                       [&](unsigned k, float d_one) {
                         const float g =
                             d_one * slope_at(a.norm.act, before_act(a.norm, cell + k, values[k]));
                         return a.norm.scale[cell + k] * g - a.offset[cell + k] -
                                a.slope[cell + k] * (values[k] - a.cell_mean[cell + k]);
                       }),
            a.accumulate);
}

}  // namespace unmar::cuda
