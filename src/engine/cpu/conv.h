#pragma once

#include <memory>

#include "engine/cpu/kernels.h"
#include "engine/cpu/step.h"
#include "unmar/graph/ops.h"

namespace unmar::cpu {

/// Everything a convolution touches. Weights are [kernel][kernel][in_c][out_c] in the flat buffer.
struct ConvPlaces {
  Conv2d op;
  Place src, dst;
  /// The norm and activation between src and the convolution, which reads through them; d_src is
  /// the gradient behind them. nullptr: none.
  const NormScales* norm = nullptr;
  Act act = {};
  Place d_dst;      ///< empty: no backward at all
  GradPlace d_src;  ///< empty: the source needs no gradient
  ParamPlace weight, bias;
};

/// Gathers the pixels under the kernel (im2col) and multiplies; any kernel and stride.
std::unique_ptr<Step> make_gemm_conv(const ConvPlaces& places, Buffers& buffers, int threads);

/// Winograd F(6x6, 3x3) or F(4x4, 3x3): 1.8 or 2.25 multiplications per output and channel pair
/// instead of 9; stride 1 only.
std::unique_ptr<Step> make_winograd_conv(const ConvPlaces& places, Buffers& buffers, int threads);
/// What it costs: multiplications per channel pair, the transforms of the weights included.
double winograd_cost(const Shape& dst);

/// Picks one of the two.
std::unique_ptr<Step> make_conv(const ConvPlaces& places, Buffers& buffers, int threads);

/// Row or column `i` of a source of `size`, seen through the border; -1: a zero.
inline int border_index(Border border, int i, int size) {
  if (i >= 0 && i < size) return i;
  if (border == Border::zero) return -1;
  return i < 0 ? -i : 2 * (size - 1) - i;
}

/// `count` matrices of rows x cols, one behind the other, each turned to cols x rows, in parallel.
void transpose_all(const Pass& pass, const float* src, int count, int rows, int cols, float* dst);

/// Backward of the weights sums over pixels in this many groups, each in order, then over the
/// groups: the result does not depend on the number of threads.
inline constexpr int kWeightGroups = 8;

}  // namespace unmar::cpu
