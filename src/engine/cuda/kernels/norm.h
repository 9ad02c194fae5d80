#pragma once

#include "engine/cuda/kernels/channel_sums.h"

/// Norms in training mode, with the activation behind them: what reads or writes pictures. A cell
/// is one channel of one picture.
namespace unmar::cuda {

/// Mean and squared distances of each chunk, around the chunk's first value: nothing cancels.
UNMAR_VALUE_KERNEL(norm_moments, NormMoments) {
  UNMAR_SHARED(ChannelTile, tile);
  const ChunkRange r = chunk_range(a.chunk, a.pixels, a.c, a.wide);
  const long long ld = a.src.ld, picture = static_cast<long long>(blockIdx.z) * a.pixels * ld;
  Float4 sum{0.f, 0.f, 0.f, 0.f}, square{0.f, 0.f, 0.f, 0.f};
  if (r.count > 0)
    Stored::with(a.src, [&](const auto& src) {
      const long long first = picture + r.channel;
      const Float4 base = lanes_of(src, first + r.begin * ld, r.count);
#pragma unroll 8
      for (unsigned p = r.begin + r.row; p < r.end; p += r.rows) {
        const Float4 v = lanes_of(src, first + p * ld, r.count);
        const Float4 d{v.x - base.x, v.y - base.y, v.z - base.z, v.w - base.w};
        sum = sum_of(sum, d);
        square = {square.x + d.x * d.x, square.y + d.y * d.y, square.z + d.z * d.z,
                  square.w + d.w * d.w};
      }
    });
  const ChannelSums sums = sum_rows(tile, r, a.c, sum, square);
  if (sums.channel < 0) return;
  const float count = static_cast<float>(r.end - r.begin);
  const float first = read_one<Stored>(a.src, picture + r.begin * ld + sums.channel);
  const unsigned long long part = part_index(a.chunks, a.c, sums.channel);
  a.mean[part] = first + sums.first / count;
  a.square[part] = sums.second - sums.first * sums.first / count;
}

/// The cell of the first of a thread's channels.
UNMAR_DEVICE unsigned cell_of(const Lanes& lanes, int c, unsigned pixels) {
  return lanes.pixel / pixels * static_cast<unsigned>(c) + static_cast<unsigned>(lanes.channel);
}

UNMAR_VALUE_KERNEL(norm_apply, NormApply) {
  const Lanes lanes(a.all_pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  const unsigned cell = cell_of(lanes, a.c, a.pixels);
  const Float4 v = lanes.read<Stored>(a.src);
  const Float4 scale = read_lanes(a.norm.scale + cell, lanes.count);
  const Float4 shift = read_lanes(a.norm.shift + cell, lanes.count);
  const auto one = [&](unsigned k, float x, float) {
    return activate(a.norm.act, x * lane_of(scale, k) + lane_of(shift, k));
  };
  lanes.put<Stored>(a.dst, lane_by_lane(lanes.count, v, v, one), false);
}

/// Of d, the gradient in front of the activation, and of d times the normalised value.
UNMAR_VALUE_KERNEL(norm_grad_sums, NormGradSums) {
  UNMAR_SHARED(ChannelTile, tile);
  const ChunkRange r = chunk_range(a.chunk, a.pixels, a.c, a.wide);
  const long long first = static_cast<long long>(blockIdx.z) * a.pixels;
  const unsigned cell = blockIdx.z * static_cast<unsigned>(a.c) + static_cast<unsigned>(r.channel);
  Float4 sum{0.f, 0.f, 0.f, 0.f}, normal{0.f, 0.f, 0.f, 0.f};
  if (r.count > 0) {
    const auto cells = [&](const float* of) { return read_lanes(of + cell, r.count); };
    const Float4 mean = cells(a.cell_mean), rstd = cells(a.cell_rstd);
    const Float4 scale = cells(a.norm.scale), shift = cells(a.norm.shift);
    const auto before = [&](unsigned k, float x) {
      return x * lane_of(scale, k) + lane_of(shift, k);
    };
    const unsigned begin = r.begin + r.row;
    Stored::with(a.src, [&](const auto& src) {
      const auto d_of = src.like(a.d_dst);
      const auto add_pixel = [&](unsigned p, const auto& grad_before) {
        const Float4 v = lanes_of(src, (first + p) * a.src.ld + r.channel, r.count);
        const Float4 d =
            grad_before(v, lanes_of(d_of, (first + p) * a.d_dst.ld + r.channel, r.count));
        sum = sum_of(sum, d);
        normal.x += d.x * ((v.x - mean.x) * rstd.x);
        normal.y += d.y * ((v.y - mean.y) * rstd.y);
        normal.z += d.z * ((v.z - mean.z) * rstd.z);
        normal.w += d.w * ((v.w - mean.w) * rstd.w);
      };
      if (is_straight(a.norm.act)) {
        const float below = slope_below(a.norm.act);
        const auto one = [&](unsigned k, float x, float d) {
          return d * (before(k, x) > 0.f ? 1.f : below);
        };
#pragma unroll 4
        for (unsigned p = begin; p < r.end; p += r.rows)
          add_pixel(p, [&](Float4 v, Float4 d) { return each_lane(r.count, v, d, one); });
      } else {
        const auto one = [&](unsigned k, float x, float d) {
          return d * slope_at(a.norm.act, before(k, x));
        };
#pragma unroll 1
        for (unsigned p = begin; p < r.end; p += r.rows)
          add_pixel(p, [&](Float4 v, Float4 d) { return lane_by_lane(r.count, v, d, one); });
      }
    });
  }
  const ChannelSums sums = sum_rows(tile, r, a.c, sum, normal);
  if (sums.channel < 0) return;
  const unsigned long long part = part_index(a.chunks, a.c, sums.channel);
  a.sum[part] = sums.first;
  a.sum_normal[part] = sums.second;
}

UNMAR_VALUE_KERNEL(norm_grad_apply, NormGradApply) {
  const Lanes lanes(a.all_pixels, a.c, a.wide);
  if (!lanes.is_there) return;
  const unsigned cell = cell_of(lanes, a.c, a.pixels);
  const Float4 v = lanes.read<Stored>(a.src), d = lanes.read<Stored>(a.d_dst);
  lanes.put<Stored>(a.d_src, gradient_in_front(a.norm, cell, lanes.count, v, d), a.accumulate);
}

}  // namespace unmar::cuda
