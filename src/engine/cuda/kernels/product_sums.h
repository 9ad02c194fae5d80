#pragma once

#include "engine/cuda/kernels/product_out.h"

/// What the four warps of a product's block have summed up, and how it leaves the block.
namespace unmar::cuda {

constexpr int kRows = 128;

/// Which part of a block's result a warp makes: tiles of 16 x 8. Of 136 columns the last eight are
/// `extra`: two tiles of each warp, of half its rows.
template <int kColumns>
struct WarpTiles {
  static constexpr bool kWide = kColumns >= 128, kExtra = kColumns > 128;
  static constexpr int kM = kWide ? 4 : 2, kN = kWide ? 8 : 4;
  int row, column;  ///< the first
  int half;         ///< of its rows, for extra tiles
  UNMAR_DEVICE explicit WarpTiles(int warp)
      : row(kWide ? warp / 2 * 64 : warp * 32), column(kWide ? warp % 2 * 64 : 0), half(warp % 2) {}
};

/// What a warp's tiles have summed up.
template <class Tiles>
struct WarpSums {
  float tile[Tiles::kM][Tiles::kN][4] = {}, extra[2][1][4] = {};
};

/// One warp's tiles to shared memory.
template <int kLine, int M, int N>
UNMAR_DEVICE void lay_tiles(float* sums, const float (&acc)[M][N][4], int first_row,
                            int first_column) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float* at = sums + (first_row + lane / 4) * kLine + first_column + lane % 4 * 2;
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j) {
      store2(at + i * 16 * kLine + j * 8, {acc[i][j][0], acc[i][j][1]});
      store2(at + (i * 16 + 8) * kLine + j * 8, {acc[i][j][2], acc[i][j][3]});
    }
}

/// Four neighbours of a row, of which `valid` are in the product, to where they belong.
template <class Stored>
UNMAR_DEVICE void write_four(const ProductOut& o, RowPlace place, const float* from, int column,
                             int valid, bool wide) {
  if (wide && valid >= 4) {
    Float4 v = load4(from);
    if (!place.in_ring && o.bias) {
      const float* bias = o.bias + column;
      v = {v.x + bias[0], v.y + bias[1], v.z + bias[2], v.w + bias[3]};
    }
    return put<Stored>(row_of(o, place), column, v, !place.in_ring && o.accumulate);
  }
#pragma unroll 1
  for (int k = 0; k < 4 && k < valid; ++k) put_product<Stored>(o, place, column + k, from[k]);
}

/// What a norm behind the product needs to know of the block's rows, so that nobody reads them for
/// that: as norm_moments has it, of the values as they are stored.
template <class Stored, int kColumns>
UNMAR_DEVICE void write_moments(const ProductOut& o, const float* sums, int m0, int n0) {
  constexpr int kLine = sums_line(kColumns);
  const int rows = o.rows - m0 < kRows ? o.rows - m0 : kRows;
  Stored::with(o.out, [&](const auto& out) {
#pragma unroll 1
    for (int c = static_cast<int>(threadIdx.x); c < kColumns && n0 + c < o.columns; c += kRows) {
      const float bias = o.bias ? o.bias[n0 + c] : 0.f;
      const float first = out.stored(sums[c] + bias);
      float four_sums[4] = {}, four_squares[4] = {};  // shorter sums round less, side by side
#pragma unroll 1
      for (int row = 0; row < rows; row += 4)
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          if (row + k >= rows) continue;
          const float d = out.stored(sums[(row + k) * kLine + c] + bias) - first;
          four_sums[k] += d;
          four_squares[k] += d * d;
        }
      const float sum = four_sums[0] + four_sums[1] + (four_sums[2] + four_sums[3]);
      const float square = four_squares[0] + four_squares[1] + (four_squares[2] + four_squares[3]);
      const long long part = static_cast<long long>(blockIdx.x) * o.columns + n0 + c;
      const float mean = sum / static_cast<float>(rows);
      o.mean[part] = first + mean;
      o.square[part] = square - sum * mean;
    }
  });
}

/// What the warps have summed up, by way of shared memory: so where a row goes is found out once,
/// and neighbours are written together.
template <class Stored, bool kMoments, int kColumns>
UNMAR_DEVICE void write_sums(const ProductOut& o, const WarpTiles<kColumns>& tiles,
                             const WarpSums<WarpTiles<kColumns>>& acc, int m0, int n0,
                             char* shared) {
  constexpr int kLine = sums_line(kColumns), kAcross = kColumns / 4;
  float* sums = reinterpret_cast<float*>(shared);
  RowPlace* places = reinterpret_cast<RowPlace*>(shared + kRows * kLine * 4);
  const int t = static_cast<int>(threadIdx.x), row = m0 + t;
  __syncthreads();  // the last stage has been read
  if (o.splits == 1)
    places[t] = place_of_row<Stored>(o, row);
  else  // parts are written as they are, like a ring
    places[t] = {row < o.rows
                     ? o.parts + (static_cast<long long>(blockIdx.z) * o.rows + row) * o.columns
                     : nullptr,
                 true};
  lay_tiles<kLine>(sums, acc.tile, tiles.row, tiles.column);
  if (WarpTiles<kColumns>::kExtra)
    lay_tiles<kLine>(sums, acc.extra, tiles.row + 32 * tiles.half, 128);
  __syncthreads();  // all sums are there
  if (kMoments && o.mean) write_moments<Stored, kColumns>(o, sums, m0, n0);
  const bool wide = o.splits > 1 ? o.columns % 4 == 0 : o.wide_out;
#pragma unroll 1
  for (int i = t; i < kRows * kAcross; i += kRows) {
    const int line = i / kAcross, column = i % kAcross * 4, valid = o.columns - (n0 + column);
    const RowPlace place = places[line];
    if (place.data && valid > 0)
      write_four<Stored>(o, place, sums + line * kLine + column, n0 + column, valid, wide);
  }
}

}  // namespace unmar::cuda
