#pragma once

#include "engine/cuda/kernels/pointwise.h"

/// Convolutions as matrix products on tensor cores. The matrices are never stored: a block gathers
/// its pieces of a and b into shared memory, works out the norm in front of the convolution and the
/// mirrored border on the way, and multiplies.
///
///              rows of out      columns      summed over
///   forward    pixels of dst    out_c        taps x c
///   data       pixels of src    c            taps x out_c      (the gradient of the source)
///   weight     taps x c         out_c        pixels of dst     (the gradient of the weights)
///
/// Weights are [tap][c][out_c]. A block makes 128 x 64 of out, each of its four warps 64 x 32;
/// while it multiplies one step of 16 it has the next one on its way from memory. With few blocks
/// the sum is split among blocks, and sum_parts adds up the parts in order.
namespace unmar::cuda {

constexpr int kRows = 128, kColumns = 64, kStep = 16;

/// A piece of a or b in shared memory, `kExtent` rows or columns times a step. Its elements come
/// from memory four at a time: along the sum, or along the rows or columns. Either way the lanes of
/// a warp that read a fragment meet no bank twice.
template <int kExtent, bool kAlongSum>
struct Piece {
  static constexpr int kLd = kAlongSum ? kStep + 4 : kExtent + 8;
  float value[(kAlongSum ? kExtent : kStep) * kLd];
  UNMAR_DEVICE float at(int i, int k) const {
    return kAlongSum ? value[i * kLd + k] : value[k * kLd + i];
  }
};

/// Four neighbours in memory from `p` on; those from `valid` on count as 0.
UNMAR_DEVICE Float4 read4(const float* p, int valid, int wide) {
  if (valid >= 4 && wide) return load4(p);
  return {valid > 0 ? p[0] : 0.f, valid > 1 ? p[1] : 0.f, valid > 2 ? p[2] : 0.f,
          valid > 3 ? p[3] : 0.f};
}
UNMAR_DEVICE Float4 folded4(const Folded& f, unsigned cell, Float4 v, int valid) {
  if (!f.scale) return v;
  if (valid > 0) v.x = folded(f, cell, v.x);
  if (valid > 1) v.y = folded(f, cell + 1, v.y);
  if (valid > 2) v.z = folded(f, cell + 2, v.z);
  if (valid > 3) v.w = folded(f, cell + 3, v.w);
  return v;
}

struct PixelSpot {
  int n, y, x;
};
UNMAR_DEVICE PixelSpot spot_of(unsigned p, int h, int w) {
  const unsigned row = p / static_cast<unsigned>(w), n = row / static_cast<unsigned>(h);
  return {static_cast<int>(n), static_cast<int>(row - n * static_cast<unsigned>(h)),
          static_cast<int>(p - row * static_cast<unsigned>(w))};
}
UNMAR_DEVICE long long pixel_index(const PixelSpot& s, int y, int x, int h, int w) {
  return (static_cast<long long>(s.n) * h + y) * w + x;
}

/// a: source pixels under the kernel. b: the weights.
struct ForwardProduct {
  static constexpr bool kAAlongSum = true, kBAlongSum = false;
  const ConvProduct& p;
  const ConvShape& s;
  int m0, rows, columns, chunks, steps;  ///< m0: the block's first row
  PixelSpot spot[4];  ///< of this thread's four rows: the pixel under the kernel's first tap
  int col, n0;

  UNMAR_DEVICE ForwardProduct(const ConvProduct& product, int block, int first_column)
      : p(product), s(product.shape), m0(block * kRows), n0(first_column) {
    rows = s.n * s.dst_h * s.dst_w;
    columns = s.out_c;
    chunks = (s.c + kStep - 1) / kStep;
    steps = s.kernel * s.kernel * chunks;
    const int t = static_cast<int>(threadIdx.x);
    col = t % 4 * 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = m0 + t / 4 + 32 * i;
      spot[i] = {-1, 0, 0};
      if (row >= rows) continue;
      spot[i] = spot_of(static_cast<unsigned>(row), s.dst_h, s.dst_w);
      spot[i].y = spot[i].y * s.stride - s.pad;
      spot[i].x = spot[i].x * s.stride - s.pad;
    }
  }
  UNMAR_DEVICE int out_rows() const { return rows; }
  UNMAR_DEVICE int out_row(int row) const { return row < rows ? row : -1; }
  UNMAR_DEVICE void load_a(int step, Float4 (&out)[4]) const {
    const int tap = step / chunks, c = (step - tap * chunks) * kStep + col;
    const int ky = tap / s.kernel, kx = tap - ky * s.kernel;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int y = source_index(spot[i].y + ky, s.h, s.reflect);
      const int x = source_index(spot[i].x + kx, s.w, s.reflect);
      out[i] = {0.f, 0.f, 0.f, 0.f};
      if (spot[i].n < 0 || y < 0 || x < 0 || c >= s.c) continue;
      const float* at = p.a + pixel_index(spot[i], y, x, s.h, s.w) * p.a_ld + c;
      out[i] = folded4(p.fold, static_cast<unsigned>(spot[i].n * s.c + c),
                       read4(at, s.c - c, p.wide_a), s.c - c);
    }
  }
  UNMAR_DEVICE void load_b(int step, Float4 (&out)[2]) const {
    const int tap = step / chunks, first = (step - tap * chunks) * kStep;
    const int t = static_cast<int>(threadIdx.x), n = n0 + t % 16 * 4;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int c = first + t / 16 + 8 * i;
      out[i] = {0.f, 0.f, 0.f, 0.f};
      if (c < s.c && n < columns)
        out[i] = read4(p.b + (static_cast<long long>(tap) * s.c + c) * s.out_c + n, columns - n,
                       p.wide_b);
    }
  }
};

/// a: gradients of the result, of all pixels that this one is under a tap of; also those that see
/// it mirrored. b: the weights, turned.
///
/// At stride 2 a row of pixels lies under every second row of taps only. So the rows (and columns)
/// have two phases, those under taps 0, 2, ... and those under taps 1, 3, ...; a block has pixels
/// of one phase and sums over its taps. At other strides a mirrored pixel changes its phase: then
/// there is one phase, with all taps.
struct DataProduct {
  static constexpr bool kAAlongSum = true, kBAlongSum = true;
  const ConvProduct& p;
  const ConvShape& s;
  int m0, rows, columns, chunks, steps;
  int tap_y, tap_x, taps_x;          ///< first tap of the phase, and how many in a row
  int first_y, first_x, high, wide;  ///< first pixel of the phase, and how many there are
  PixelSpot spot[4];
  int col, n0;

  UNMAR_DEVICE DataProduct(const ConvProduct& product, int block, int first_column)
      : p(product), s(product.shape), n0(first_column) {
    for (int phase = 0;; ++phase) {
      tap_y = phase / s.phases;
      tap_x = phase - tap_y * s.phases;
      first_y = first_pixel(tap_y);
      first_x = first_pixel(tap_x);
      high = phase_count(s.h, first_y);
      wide = phase_count(s.w, first_x);
      rows = s.n * high * wide;
      const int blocks = (rows + kRows - 1) / kRows;
      if (block < blocks) break;
      block -= blocks;
    }
    m0 = block * kRows;
    columns = s.c;
    chunks = (s.out_c + kStep - 1) / kStep;
    taps_x = phase_count(s.kernel, tap_x);
    steps = phase_count(s.kernel, tap_y) * taps_x * chunks;
    const int t = static_cast<int>(threadIdx.x);
    col = t % 4 * 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = m0 + t / 4 + 32 * i;
      spot[i] = {-1, 0, 0};
      if (row < rows) spot[i] = pixel_of(row);
    }
  }
  /// The first row or column that lies under taps `tap`, `tap` + phases, ...
  UNMAR_DEVICE int first_pixel(int tap) const {
    return (tap + s.phases * s.pad - s.pad) % s.phases;
  }
  /// How many of `size` there are from `first` on.
  UNMAR_DEVICE int phase_count(int size, int first) const {
    return size > first ? (size - first + s.phases - 1) / s.phases : 0;
  }
  UNMAR_DEVICE PixelSpot pixel_of(int row) const {
    const PixelSpot in_phase = spot_of(static_cast<unsigned>(row), high, wide);
    return {in_phase.n, first_y + s.phases * in_phase.y, first_x + s.phases * in_phase.x};
  }
  UNMAR_DEVICE int out_rows() const { return s.n * s.h * s.w; }
  /// Which row of out a row of the phase is; -1: none.
  UNMAR_DEVICE int out_row(int row) const {
    if (row >= rows) return -1;
    const PixelSpot pixel = pixel_of(row);
    return (pixel.n * s.h + pixel.y) * s.w + pixel.x;
  }
  /// The tap of a step, as a number of the whole kernel.
  UNMAR_DEVICE int tap_of(int step) const {
    const int tap = step / chunks, row = tap / taps_x, column = tap - row * taps_x;
    return (tap_y + s.phases * row) * s.kernel + tap_x + s.phases * column;
  }
  /// The row or column of dst whose tap `k` lies on the padded position; -1: none.
  UNMAR_DEVICE int result_index(int position, int k, int size) const {
    const int first = position + s.pad - k;
    if (first < 0) return -1;
    const int index = s.stride == 1 ? first : first / s.stride;
    return index * s.stride == first && index < size ? index : -1;
  }
  UNMAR_DEVICE void load_a(int step, Float4 (&out)[4]) const {
    const int tap = tap_of(step), c = step % chunks * kStep + col;
    const int ky = tap / s.kernel, kx = tap - ky * s.kernel;
    const int mirrors = s.reflect ? 3 : 1;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      out[i] = {0.f, 0.f, 0.f, 0.f};
      if (spot[i].n < 0 || c >= s.out_c) continue;
#pragma unroll 1
      for (int v = 0; v < mirrors; ++v) {
        int row, column;
        if (!padded_position(v, spot[i].y, s.h, s.reflect, row)) continue;
        const int y = result_index(row, ky, s.dst_h);
        if (y < 0) continue;
#pragma unroll 1
        for (int u = 0; u < mirrors; ++u) {
          if (!padded_position(u, spot[i].x, s.w, s.reflect, column)) continue;
          const int x = result_index(column, kx, s.dst_w);
          if (x < 0) continue;
          const Float4 d = read4(p.a + pixel_index(spot[i], y, x, s.dst_h, s.dst_w) * p.a_ld + c,
                                 s.out_c - c, p.wide_a);
          out[i] = {out[i].x + d.x, out[i].y + d.y, out[i].z + d.z, out[i].w + d.w};
        }
      }
    }
  }
  UNMAR_DEVICE void load_b(int step, Float4 (&out)[2]) const {
    const int tap = tap_of(step), c = step % chunks * kStep + col;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int n = n0 + static_cast<int>(threadIdx.x) / 4 + 32 * i;
      out[i] = {0.f, 0.f, 0.f, 0.f};
      if (n < columns && c < s.out_c)
        out[i] = read4(p.b + (static_cast<long long>(tap) * s.c + n) * s.out_c + c, s.out_c - c,
                       p.wide_b);
    }
  }
};

/// a: source pixels, turned. b: gradients of the result.
struct WeightProduct {
  static constexpr bool kAAlongSum = false, kBAlongSum = false;
  const ConvProduct& p;
  const ConvShape& s;
  int m0, rows, columns, steps;
  unsigned pixels;
  int n0, row;
  int c, ky, kx;  ///< of this thread's first row

  UNMAR_DEVICE WeightProduct(const ConvProduct& product, int block, int first_column)
      : p(product), s(product.shape), m0(block * kRows), n0(first_column) {
    rows = s.kernel * s.kernel * s.c;
    columns = s.out_c;
    pixels = static_cast<unsigned>(s.n) * static_cast<unsigned>(s.dst_h) *
             static_cast<unsigned>(s.dst_w);
    steps = static_cast<int>((pixels + kStep - 1) / kStep);
    row = m0 + static_cast<int>(threadIdx.x) % 32 * 4;
    const int tap = row / s.c;
    c = row - tap * s.c;
    ky = tap / s.kernel;
    kx = tap - ky * s.kernel;
  }
  UNMAR_DEVICE int out_rows() const { return rows; }
  UNMAR_DEVICE int out_row(int at) const { return at < rows ? at : -1; }
  /// The source value of one row of a, under one pixel of the result.
  UNMAR_DEVICE float one(const PixelSpot& to, int m) const {
    if (m >= rows) return 0.f;
    const int tap = m / s.c, channel = m - tap * s.c, tap_y = tap / s.kernel;
    const int y = source_index(to.y + tap_y, s.h, s.reflect);
    const int x = source_index(to.x + tap - tap_y * s.kernel, s.w, s.reflect);
    if (y < 0 || x < 0) return 0.f;
    return folded(p.fold, static_cast<unsigned>(to.n * s.c + channel),
                  p.a[pixel_index(to, y, x, s.h, s.w) * p.a_ld + channel]);
  }
  UNMAR_DEVICE void load_a(int step, Float4 (&out)[4]) const {
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned pixel = static_cast<unsigned>(step) * kStep + threadIdx.x / 32 + 4 * i;
      out[i] = {0.f, 0.f, 0.f, 0.f};
      if (pixel >= pixels || row >= rows) continue;
      PixelSpot to = spot_of(pixel, s.dst_h, s.dst_w);
      to.y = to.y * s.stride - s.pad;
      to.x = to.x * s.stride - s.pad;
      if (!p.wide_a) {
        out[i] = {one(to, row), one(to, row + 1), one(to, row + 2), one(to, row + 3)};
        continue;
      }
      const int y = source_index(to.y + ky, s.h, s.reflect);
      const int x = source_index(to.x + kx, s.w, s.reflect);
      if (y >= 0 && x >= 0)
        out[i] = folded4(p.fold, static_cast<unsigned>(to.n * s.c + c),
                         load4(p.a + pixel_index(to, y, x, s.h, s.w) * p.a_ld + c), 4);
    }
  }
  UNMAR_DEVICE void load_b(int step, Float4 (&out)[2]) const {
    const int n = n0 + static_cast<int>(threadIdx.x) % 16 * 4;
#pragma unroll
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned pixel = static_cast<unsigned>(step) * kStep + threadIdx.x / 16 + 8 * i;
      out[i] = {0.f, 0.f, 0.f, 0.f};
      if (pixel < pixels && n < columns)
        out[i] = read4(p.b + static_cast<long long>(pixel) * p.b_ld + n, columns - n, p.wide_b);
    }
  }
};

/// Puts what this thread has loaded of a piece into shared memory. Rounds it on the way, unless
/// both parts of a value are needed.
template <int kProducts, int kExtent, bool kAlongSum, int kCount>
UNMAR_DEVICE void store(Piece<kExtent, kAlongSum>& piece, const Float4 (&loaded)[kCount]) {
  const int t = static_cast<int>(threadIdx.x);
  constexpr int kLd = Piece<kExtent, kAlongSum>::kLd, kAcross = kAlongSum ? 4 : kExtent / 4;
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    Float4 v = loaded[i];
    if (kProducts == 1) v = {to_tf32(v.x), to_tf32(v.y), to_tf32(v.z), to_tf32(v.w)};
    store4(piece.value + (t / kAcross + 128 / kAcross * i) * kLd + t % kAcross * 4, v);
  }
}

template <class Product>
struct ConvTile {
  Piece<kRows, Product::kAAlongSum> a[2];
  Piece<kColumns, Product::kBAlongSum> b[2];
};

/// What is left of a value after rounding: with it three products give what fp32 would.
UNMAR_DEVICE float rest_of(float v, float rounded) { return to_tf32(v - rounded); }

template <class Product, int kProducts>
UNMAR_DEVICE void multiply_tile(const ConvProduct& a, ConvTile<Product>& tile) {
  const int n0 = static_cast<int>(blockIdx.y) * kColumns;
  const Product product(a, static_cast<int>(blockIdx.x), n0);
  const int split = static_cast<int>(blockIdx.z);
  const int begin = static_cast<int>(static_cast<long long>(product.steps) * split / a.splits);
  const int end = static_cast<int>(static_cast<long long>(product.steps) * (split + 1) / a.splits);
  const int t = static_cast<int>(threadIdx.x), lane = t % 32, warp = t / 32;
  const int warp_m = warp / 2 * 64, warp_n = warp % 2 * 32;

  float acc[4][4][4] = {};
  Float4 next_a[4], next_b[2];
  // The first round only loads. One loop holds it all, so that the loads stand in the code once.
#pragma unroll 1
  for (int step = begin - 1; step < end; ++step) {
    if (step + 1 < end) {
      product.load_a(step + 1, next_a);
      product.load_b(step + 1, next_b);
    }
    const auto& as = tile.a[step & 1];
    const auto& bs = tile.b[step & 1];
#pragma unroll
    for (int kk = 0; kk < kStep && step >= begin; kk += 8) {
      float af[4][4], bf[4][2];
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          af[i][e] = as.at(warp_m + i * 16 + lane / 4 + e % 2 * 8, kk + lane % 4 + e / 2 * 4);
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e)
          bf[j][e] = bs.at(warp_n + j * 8 + lane / 4, kk + lane % 4 + e * 4);
      if (kProducts == 1) {
        mma(acc, af, bf);
        continue;
      }
      float a_rest[4][4], b_rest[4][2];
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const float rounded = to_tf32(af[i][e]);
          a_rest[i][e] = rest_of(af[i][e], rounded);
          af[i][e] = rounded;
        }
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const float rounded = to_tf32(bf[j][e]);
          b_rest[j][e] = rest_of(bf[j][e], rounded);
          bf[j][e] = rounded;
        }
      mma(acc, a_rest, bf);
      mma(acc, af, b_rest);
      mma(acc, af, bf);
    }
    if (step + 1 < end) {
      store<kProducts>(tile.a[(step + 1) % 2], next_a);
      store<kProducts>(tile.b[(step + 1) % 2], next_b);
    }
    __syncthreads();
  }

#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = product.out_row(product.m0 + warp_m + i * 16 + lane / 4 + half * 8);
      if (row < 0) continue;
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int column = n0 + warp_n + j * 8 + lane % 4 * 2 + e;
          if (column >= product.columns) continue;
          const float v = acc[i][j][half * 2 + e];
          if (a.splits > 1)
            a.parts[(static_cast<long long>(split) * product.out_rows() + row) * product.columns +
                    column] = v;
          else
            put(a.out + row * a.out_ld + column, a.bias ? v + a.bias[column] : v, a.accumulate);
        }
    }
}

UNMAR_KERNEL(conv_forward_tf32, ConvProduct, 128) {
  UNMAR_SHARED(ConvTile<ForwardProduct>, tile);
  multiply_tile<ForwardProduct, 1>(a, tile);
}
UNMAR_KERNEL(conv_forward_fp32, ConvProduct, 128) {
  UNMAR_SHARED(ConvTile<ForwardProduct>, tile);
  multiply_tile<ForwardProduct, 3>(a, tile);
}
UNMAR_KERNEL(conv_data_tf32, ConvProduct, 128) {
  UNMAR_SHARED(ConvTile<DataProduct>, tile);
  multiply_tile<DataProduct, 1>(a, tile);
}
UNMAR_KERNEL(conv_data_fp32, ConvProduct, 128) {
  UNMAR_SHARED(ConvTile<DataProduct>, tile);
  multiply_tile<DataProduct, 3>(a, tile);
}
UNMAR_KERNEL(conv_weight_tf32, ConvProduct, 128) {
  UNMAR_SHARED(ConvTile<WeightProduct>, tile);
  multiply_tile<WeightProduct, 1>(a, tile);
}
UNMAR_KERNEL(conv_weight_fp32, ConvProduct, 128) {
  UNMAR_SHARED(ConvTile<WeightProduct>, tile);
  multiply_tile<WeightProduct, 3>(a, tile);
}

/// The parts of a split sum, in their order.
UNMAR_KERNEL(sum_parts, SumParts, 256) {
  const unsigned i = element();
  if (i >= a.count) return;
  float sum = 0.f;
  for (int k = 0; k < a.splits; ++k)
    sum += a.parts[static_cast<unsigned long long>(k) * a.count + i];
  const unsigned row = i / static_cast<unsigned>(a.columns);
  const unsigned column = i - row * static_cast<unsigned>(a.columns);
  if (a.bias) sum += a.bias[column];
  put(a.out + row * a.out_ld + column, sum, a.accumulate);
}

}  // namespace unmar::cuda
