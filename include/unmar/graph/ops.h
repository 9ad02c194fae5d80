#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "unmar/graph/linear.h"
#include "unmar/tensor/tensor.h"

/// The operations a graph is made of. Each is a plain struct of its options; sources, shapes and
/// parameters live in the graph (unmar/graph/graph.h).
namespace unmar {

enum class Border { zero, reflect };  ///< reflect: mirror without repeating the edge pixel
enum class NormKind { batch, instance, group };
/// Which mean and variance a batch norm takes. tracked: those of its source, and each
/// Program::step lets running ones follow; fixed: the running ones.
enum class NormStatistics { own, tracked, fixed };
enum class ActivationKind { relu, leaky_relu, elu, silu, gelu, tanh, sigmoid };
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

/// A tensor that is itself learned, e.g. the input of a network; it starts as `start`.
struct Learned {
  std::shared_ptr<const Tensor> start;
};

/// dst = src + sigma * N(0,1), drawn anew for each iteration from (seed, node name, iteration).
/// Elements are numbered with channels innermost, i = ((n * h + y) * w + x) * c + channel: the
/// order in which fast engines hold them. Element i is number i % 4 of the Box-Muller normals of
/// the Philox block with counter {i / 4, iteration} (64 bits each) and key stream_key(seed, node
/// name).
struct Jitter {
  float sigma = 0.f;
};

/// dst = src / (1 - rate) with probability 1 - rate, else 0, drawn anew for each iteration (Hinton
/// et al., 2012); where jitter is off, src. Element i, numbered as for Jitter, is kept if word i %
/// 4 of the same Philox block, as 24 bits of [0, 1), is not below rate.
struct Dropout {
  float rate = 0.f;  ///< [0, 1)
};

/// Cross-correlation, kernel x kernel, padding (kernel-1)/2 on every side unless pad_end.
/// src [n,c,h,w] -> [n,out_c,ceil(h/stride),ceil(w/stride)] for odd kernels.
struct Conv2d {
  int out_c = 0;
  int kernel = 3;  ///< odd, unless pad_end
  int stride = 1;
  Border border = Border::zero;
  bool bias = true;
  /// Start of the weights for a PixelShuffle by this factor behind: each run of shuffle^2 output
  /// channels starts with equal kernels and biases, so that the enlarged picture starts without a
  /// checkerboard (ICNR; Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017).
  int shuffle = 1;
  /// The padding, kernel - stride in all, lies below and on the right only: dst pixel 0 starts at
  /// src pixel 0, and dst has floor(h/stride) rows. What TensorFlow calls "same" for even sizes.
  bool pad_end = false;
};
/// Rows above the source, and columns to its left, that the first kernel reaches.
inline int pad_begin(const Conv2d& op) { return op.pad_end ? 0 : (op.kernel - 1) / 2; }
inline int pad_total(const Conv2d& op) {
  return op.pad_end ? op.kernel - op.stride : (op.kernel - 1) / 2 * 2;
}

/// Transposed convolution (Dumoulin and Visin, "A guide to convolution arithmetic", 2016): source
/// pixel (y, x) adds kernel x kernel pixels to dst, from row y * stride - padding and column
/// x * stride - padding on; what falls outside is dropped. src [n,c,h,w] -> [n,out_c,H,W], H = (h -
/// 1) * stride - 2 * padding + kernel, W alike. With a kernel as large as the stride every source
/// pixel makes a block of its own.
struct ConvTranspose2d {
  int out_c = 0;
  int stride = 2;
  bool bias = true;
  int kernel = 0;   ///< 0: as large as the stride
  int padding = 0;  ///< rows and columns cut off on every side; below the kernel
};
inline int kernel_of(const ConvTranspose2d& op) { return op.kernel > 0 ? op.kernel : op.stride; }
/// Whether every source pixel makes a block of its own, and nothing is cut off.
inline bool makes_blocks(const ConvTranspose2d& op) {
  return kernel_of(op) == op.stride && op.padding == 0;
}

/// Channels become pixels: src [n,c*factor^2,h,w] -> [n,c,h*factor,w*factor]; channel c * factor^2
/// + i * factor + j goes to row i, column j of each block (Shi et al., CVPR 2016).
struct PixelShuffle {
  int factor = 2;
};

/// The largest of each factor x factor block; the rest at the lower right edge is dropped (floor).
struct MaxPool {
  int factor = 2;
};

/// Every channel by itself, filtered with the same constant kernel (cross-correlation): the taps
/// [1,1,h,w], of any height and width, are laid on the picture with the tap at row (h-1)/2, column
/// (w-1)/2 (rounded down) on the pixel that is made, multiplied and summed. src and dst are of one
/// shape. With Border::reflect the picture must be larger than the kernel reaches.
struct Filter {
  std::shared_ptr<const Tensor> taps;  ///< finite; shared between copies of the graph
  Border border = Border::reflect;
};

/// Joins along channels; every source is centre-cropped to the smallest height and width
/// (offset = surplus / 2, rounded down).
struct Concat {};

/// Normalises with mean and biased variance of this very tensor (training mode), then scales and
/// shifts each channel by the parameters gamma and beta. The statistics are those of one channel of
/// the whole batch (batch), of one channel of one picture (instance), or of c / groups neighbouring
/// channels of one picture (group).
///
/// With running statistics there are two parameters more, mean and var, which have no gradient. A
/// step lets mean += momentum * (mean of the source - mean), and var the same with the unbiased
/// variance (Ioffe and Szegedy, "Batch Normalization", 2015; numbers as in PyTorch).
struct Norm {
  NormKind kind = NormKind::batch;
  int groups = 1;  ///< of group; divides c
  float eps = 1e-5f;
  NormStatistics statistics = NormStatistics::own;  ///< another one: of batch only
  float momentum = 0.1f;                            ///< of tracked; (0, 1]
  /// Of batch with its own statistics: the batch is cut into so many equal parts, each normalised
  /// by itself ("ghost batch norm"; Hoffer et al., "Train longer, generalize better", 2017).
  int parts = 1;
};

struct Activation {
  ActivationKind kind = ActivationKind::leaky_relu;
  float slope = 0.2f;  ///< leaky_relu: factor for negative values; elu: alpha
};

/// dst = a + b, element by element. b may have one pixel, [n,c,1,1]: it then serves all of a's.
struct Add {};

/// Sines and cosines of src [n,1,1,1], a time, at frequencies from 1 down: dst [n,channels,1,1].
/// With half = channels / 2, frequency i is 10000^(-i / (half - freq_shift)); the sines come first,
/// or the cosines if flip_sin_to_cos (Vaswani et al., 2017; Ho et al., 2020: freq_shift 1).
struct TimeEmbedding {
  int channels = 0;  ///< even
  bool flip_sin_to_cos = false;
  float freq_shift = 1.f;  ///< below half
};

/// Every pixel looks at all pixels of its picture: src q, k, v [n,c,h,w] each, dst the same. Head i
/// has the d = c / heads channels from i * d on; there dst = softmax(q k^T / sqrt(d)) v, rows being
/// pixels (Vaswani et al., "Attention Is All You Need", 2017).
struct Attention {
  int heads = 1;  ///< divides c
};

/// dst = a * b, element by element. b may have one channel: it then serves all channels of a.
struct Multiply {};

/// Scalars [1,1,1,1]. Mse and L1: mean over all elements of a - b, squared or absolute.
struct Mse {};
struct L1 {};
/// Binary cross-entropy of logits a with targets b in [0,1]: mean over all elements of log(1 + e^a)
/// - a * b, a scalar.
struct BceWithLogits {};
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

using Op =
    std::variant<Input, Constant, Learned, Jitter, Dropout, Conv2d, ConvTranspose2d, PixelShuffle,
                 MaxPool, Linear, Filter, Concat, Norm, Activation, Add, Multiply, TimeEmbedding,
                 Attention, Mse, L1, BceWithLogits, TotalVariation, WeightedSum>;

const char* op_name(const Op& op);                 ///< "conv2d", "batch_norm", ...
const char* activation_name(ActivationKind kind);  ///< "leaky_relu", ...

}  // namespace unmar
