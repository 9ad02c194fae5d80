#pragma once

#include "engine/cuda/kernels/lanes.h"

/// Sums over the pixels of a picture, channel by channel: the first of two launches, which makes
/// parts. Every order is fixed, so that the same values give the same bits.
namespace unmar::cuda {

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

UNMAR_VALUE_KERNEL(column_sums, ColumnSums) {
  UNMAR_SHARED(ChannelTile, tile);
  const ChunkRange r = chunk_range(a.chunk, a.pixels, a.c, a.wide);
  const long long ld = a.src.ld,
                  first = static_cast<long long>(blockIdx.z) * a.pixels * ld + r.channel;
  Float4 sum{0.f, 0.f, 0.f, 0.f};
  if (r.count > 0)
    Stored::with(a.src, [&](const auto& src) {
#pragma unroll 8
      for (unsigned p = r.begin + r.row; p < r.end; p += r.rows)
        sum = sum_of(sum, lanes_of(src, first + p * ld, r.count));
    });
  const ChannelSums sums = sum_rows(tile, r, a.c, sum, sum);
  if (sums.channel >= 0) a.parts[part_index(a.chunks, a.c, sums.channel)] = sums.first;
}

}  // namespace unmar::cuda
