#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/adam.h"
#include "unmar/graph/ops.h"

/// The element-wise and transform passes of the engine: one thread each, compiled for several
/// instruction sets and dispatched at run time (Highway). `ld` is the distance of two pixels in
/// floats.
namespace unmar::cpu {

/// Activation fused behind a norm or alone; `none` is the identity, ReLU a leaky one of slope 0.
struct Act {
  enum class Kind { none, leaky_relu, elu, silu, gelu, tanh, sigmoid } kind = Kind::none;
  float slope = 0.f;
};
Act to_act(const Activation& op);

/// What a pixel becomes while it is read: act(x * scale + shift), per channel. Without scale: x.
/// act is none or a leaky ReLU: see GraphPlan.
struct PixelMap {
  Act act;
  const float* scale = nullptr;
  const float* shift = nullptr;
};

// kernels_elementwise.cpp
void scale_add(float* dst, const float* src, float weight, std::size_t count,
               bool accumulate);  ///< dst (+)= weight * src
void add_to_pixels(float* dst, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c,
                   const float* row);  ///< one row of c numbers to each
void sum_pixels(const float* src, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c,
                float* sum);  ///< sum += over pixels
void activate(const Act& act, const float* src, float* dst, std::size_t count);
void activate_backward(const Act& act, const float* src, const float* d_dst, float* d_src,
                       std::size_t count, bool accumulate);
void adam_update(float* value, float* m, float* v, const float* grad, std::size_t count,
                 const AdamStep& adam);
void approach(float* average, const float* value, float share,
              std::size_t count);  ///< average += share * (value - average)
double sum_squares(const float* src, std::size_t count);

// kernels_resample.cpp
/// dst = sum over k < taps of weight[k] * rows[k].
void combine_rows(const float* const* rows, const float* weight, int taps, std::size_t count,
                  float* dst);
/// The same over pixels of c channels that are mapped first, `ld` apart in every row.
void combine_mapped_rows(const float* const* rows, std::ptrdiff_t ld, const float* weight, int taps,
                         const PixelMap& map, std::ptrdiff_t pixels, int c, float* dst);
/// dst (+)= sum over k < taps of weight[k] * src[k]; for many taps.
void combine_many(const float* const* src, const float* weight, int taps, std::size_t count,
                  float* dst, bool accumulate);
/// For each of `pixels` destination pixels p: dst[p] (+)= sum over k in [begin[p], begin[p+1]) of
/// weight[k] * src[index[k]], where src has its pixels src_ld apart.
void combine_pixels(const float* src, std::ptrdiff_t src_ld, const int* begin, const int* index,
                    const float* weight, int pixels, int c, float* dst, std::ptrdiff_t dst_ld,
                    bool accumulate);

/// dst = the largest of `count` pixels, channel by channel.
void max_pixels(const float* const* src, int count, int c, float* dst);
/// Adds d_dst to the first of the pixels that is the largest.
void max_pixels_backward(const float* const* src, int count, int c, const float* d_dst,
                         float* const* d_src);

// kernels_gemm.cpp
/// C = A B (+ C, or + bias in every row): A is m x k, B is k x n, C is m x n. Strides are in
/// floats; the rows of B and C are contiguous. Every element sums over k in order, however m and n
/// are cut.
struct Gemm {
  int m = 0, n = 0, k = 0;
  std::ptrdiff_t a_row = 0, a_col = 1;
  std::ptrdiff_t b_row = 0, c_row = 0;
  bool accumulate = false;
  const float* bias = nullptr;  ///< n numbers, without `accumulate`
};
void gemm(const Gemm& g, const float* a, const float* b, float* c);
int gemm_rows();  ///< m is best a multiple of this

// kernels_norm.cpp
/// sum += x - base, square += (x - base)^2 per channel. `base` near the mean keeps the digits that
/// a variance loses when it is a small difference of large sums.
void channel_moments(const float* src, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c,
                     const float* base, float* sum, float* square);
/// dst = act(src * scale + shift), per channel.
void norm_act(const Act& act, const float* src, std::ptrdiff_t src_ld, float* dst,
              std::ptrdiff_t dst_ld, std::ptrdiff_t pixels, int c, const float* scale,
              const float* shift);
/// With dz = d_dst * act'(src * scale + shift): sum += dz, dot += dz * (src - mean).
void norm_act_backward_sums(const Act& act, const float* src, std::ptrdiff_t src_ld,
                            const float* d_dst, std::ptrdiff_t d_dst_ld, std::ptrdiff_t pixels,
                            int c, const float* scale, const float* shift, const float* mean,
                            float* sum, float* dot);
/// d_src (+)= scale * dz + slope * src + offset, per channel.
void norm_act_backward(const Act& act, const float* src, std::ptrdiff_t src_ld, const float* d_dst,
                       std::ptrdiff_t d_dst_ld, float* d_src, std::ptrdiff_t d_src_ld,
                       std::ptrdiff_t pixels, int c, const float* scale, const float* shift,
                       const float* slope, const float* offset, bool accumulate);

// kernels_noise.cpp
inline constexpr std::size_t kNoiseBlocks = 16;  ///< Philox blocks of four numbers per call
/// 4 * kNoiseBlocks numbers of N(0,1), those that the Jitter op defines from `first_block` on.
void gaussian_noise(std::uint64_t key, std::uint64_t iteration, std::uint64_t first_block,
                    float* dst);
/// As many of [0, 1), the 24 upper bits of each word of these blocks.
void uniform_noise(std::uint64_t key, std::uint64_t iteration, std::uint64_t first_block,
                   float* dst);

// kernels_attention.cpp
/// Each of `count` rows becomes softmax(scale * row); scale > 0.
void softmax_rows(float* rows, int count, int length, float scale);
/// grads, behind softmax_rows, become those in front; values: what softmax_rows made.
void softmax_rows_backward(const float* values, float* grads, int count, int length, float scale);

// kernels_winograd.cpp: F(4x4, 3x3) and F(6x6, 3x3), Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", CVPR 2016. `tile` is 4 or 6: outputs per side. A tile of
// c-vectors, tile + 2 a side, becomes (tile + 2)^2 c-vectors, its points, `stride` floats apart.
inline constexpr int kMostTile = 6, kMostTileInput = kMostTile + 2;
/// The pixels of a tile: `table` has a pointer for each, row by row, or they lie at
/// first + y * row + x * col.
template <class T>
struct TilePixels {
  T* const* table = nullptr;
  T* first = nullptr;
  std::ptrdiff_t row = 0, col = 0;
};
/// pixels: tile + 2 a side; nullptr reads as zeros, whatever the map. Its activation is
/// none or a leaky ReLU.
void winograd_input(int tile, const TilePixels<const float>& pixels, const PixelMap& map, int c,
                    float* dst, std::ptrdiff_t stride);
/// pixels: tile a side; nullptr is not written. bias may be nullptr.
void winograd_output(int tile, const float* src, std::ptrdiff_t stride, int c, const float* bias,
                     const TilePixels<float>& pixels, bool accumulate);
/// The adjoint of winograd_output: tile^2 pixels (nullptr: zeros) -> points.
void winograd_output_adjoint(int tile, const TilePixels<const float>& pixels, int c, float* dst,
                             std::ptrdiff_t stride);
/// `count` kernels: weights [9], taps `tap_stride` apart -> points, `stride` apart; flip: of the
/// kernels turned by 180 degrees.
void winograd_weights(int tile, const float* weights, std::ptrdiff_t tap_stride, std::size_t count,
                      bool flip, float* dst, std::ptrdiff_t stride);
/// The adjoint (without flip).
void winograd_weights_adjoint(int tile, const float* src, std::ptrdiff_t stride, std::size_t count,
                              float* d_weights, std::ptrdiff_t tap_stride);

}  // namespace unmar::cpu
