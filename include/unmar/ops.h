#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "unmar/tensor.h"

/// The operations a graph is made of. Each is a plain struct of its options; sources, shapes and
/// parameters live in the graph (unmar/graph.h). docs/ops.md lists them with their formulas.
namespace unmar {

enum class Border { zero, reflect };  ///< reflect: mirror without repeating the edge pixel
enum class PoolKind { max, average };
enum class UpsampleKind { nearest, bilinear };
enum class ActivationKind { leaky_relu, elu, silu, sigmoid };
/// Fixed low-pass kernels for reducing an image. lanczos2/3: windowed sinc; bicubic: Keys a = -0.5;
/// box: mean of the factor x factor block.
enum class ReduceKernel { lanczos2, lanczos3, bicubic, box };

/// Values set from outside by Program::set_input.
struct Input {
  Shape shape;
  bool needs_grad = false;  ///< makes its gradient readable
};

/// Values that are part of the document, e.g. the observed image or a mask. The data are shared
/// between copies of the graph and never change, hence the shared_ptr.
struct Constant {
  std::shared_ptr<const Tensor> value;
};

/// dst = src + sigma * N(0,1), drawn anew for each iteration from (seed, node name, iteration).
/// Elements are numbered with channels innermost, i = ((n * h + y) * w + x) * c + channel: the
/// order in which fast engines hold them. Element i is number i % 4 of the Box-Muller normals of
/// the Philox block with counter {i / 4, iteration} (64 bits each) and key stream_key(seed, node
/// name).
struct Jitter {
  float sigma = 0.f;
};

/// Cross-correlation, kernel x kernel, padding (kernel-1)/2 on every side.
/// src [n,c,h,w] -> [n,out_c,ceil(h/stride),ceil(w/stride)] for odd kernels.
struct Conv2d {
  int out_c = 0;
  int kernel = 3;  ///< odd
  int stride = 1;
  Border border = Border::zero;
  bool bias = true;
};

/// Window and stride `factor`; the rest at the lower right edge is dropped (floor).
struct Pool {
  PoolKind kind = PoolKind::max;
  int factor = 2;
};

/// dst is `factor` times as large; bilinear uses half-pixel centres unless align_corners.
struct Upsample {
  UpsampleKind kind = UpsampleKind::bilinear;
  int factor = 2;
  bool align_corners = false;
};

/// Low-pass filter and decimation per channel: src [n,c,h,w] -> [n,c,h/factor,w/factor] (floor).
/// Sample centres keep the half-pixel grid (phase 0.5); the border is replicated.
struct Reduce {
  ReduceKernel kernel = ReduceKernel::lanczos2;
  int factor = 2;
};

/// Joins along channels; every source is centre-cropped to the smallest height and width
/// (offset = surplus / 2, rounded down).
struct Concat {};

/// The centre h x w region (offset = surplus / 2, rounded down).
struct CenterCrop {
  int h = 0, w = 0;
};

/// Normalises each channel with the mean and variance over n, h, w of this very tensor (training
/// mode, biased variance), then scales and shifts by the parameters gamma and beta.
struct BatchNorm {
  float eps = 1e-5f;
};

struct Activation {
  ActivationKind kind = ActivationKind::leaky_relu;
  float slope = 0.2f;  ///< leaky_relu: factor for negative values; elu: alpha
};

/// dst = a * b, element by element. b may have one channel: it then serves all channels of a.
struct Multiply {};

/// Scalars [1,1,1,1]. Mse and L1: mean over all elements of a - b, squared or absolute.
struct Mse {};
struct L1 {};
/// Mean over elements of (dx^2 + dy^2 + eps)^beta, with forward differences over the (h-1) x (w-1)
/// pixels that have both neighbours; beta 0.5 is total variation.
struct TotalVariation {
  float beta = 0.5f;
  float eps = 1e-8f;
};
/// Sum of weight[i] * src[i], scalars.
struct WeightedSum {
  std::vector<float> weights;
};

using Op = std::variant<Input, Constant, Jitter, Conv2d, Pool, Upsample, Reduce, Concat, CenterCrop,
                        BatchNorm, Activation, Multiply, Mse, L1, TotalVariation, WeightedSum>;

const char* op_name(const Op& op);  ///< "conv2d", "batch_norm", ...

/// The taps of one dimension of Reduce: dst[i] = sum over k of taps[k] * src[i * factor + first +
/// k], indices clamped to the source. They sum to 1.
struct ReduceTaps {
  int first = 0;
  std::vector<float> taps;
};
ReduceTaps reduce_taps(const Reduce& op);

}  // namespace unmar
