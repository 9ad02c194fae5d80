#pragma once

#include <memory>
#include <string>
#include <vector>

#include "unmar/tensor/tensor.h"

/// Ops that are one sparse matrix along the rows of a picture and one along its columns.
namespace unmar {

/// Fixed low-pass kernels for reducing an image. lanczos2/3: windowed sinc; bicubic: Keys a = -0.5;
/// box: mean of the factor x factor block.
enum class ReduceKernel { lanczos2, lanczos3, bicubic, box };
enum class ResizeKind { nearest, bilinear, bicubic, area };

/// A sparse matrix over one dimension:
/// dst[i] = sum over k in [begin[i], begin[i+1]) of weight[k] * src[index[k]].
struct LinearMap {
  int src_size = 0;
  std::vector<int> begin{0}, index;
  std::vector<float> weight;

  int dst_size() const { return static_cast<int>(begin.size()) - 1; }
  void add(int src, float w) {  ///< to the row that is being written
    index.push_back(src);
    weight.push_back(w);
  }
  void close() { begin.push_back(static_cast<int>(index.size())); }  ///< ends that row
};
LinearMap transposed(const LinearMap& map);

/// One dimension of Linear::resize and Linear::center_crop.
LinearMap resize_map(ResizeKind kind, int src_size, int dst_size, bool align_corners = false);
LinearMap crop_map(int src_size, int dst_size);

/// src [n,c,h,w] -> [n,c,rows->dst_size(),cols->dst_size()], every channel by itself:
/// dst = rows src cols^T. h and w are the maps' src_size. The maps are shared between copies of the
/// graph and never change; `name` says in words what they do and means nothing to engines.
///
/// The functions make it for a source of shape `src`. They throw Error{bad_argument} for sizes that
/// cannot be.
struct Linear {
  std::shared_ptr<const LinearMap> rows, cols;
  std::string name = {};

  /// To h x w, any sizes. Pixel centres lie on the half-pixel grid, unless align_corners (bilinear
  /// only) puts the outer pixel centres of both on each other.
  /// nearest: dst i is src floor(i * src / dst). area: the mean of the pixels that dst i touches.
  /// bilinear, bicubic (Keys, a = -0.5): when reducing, the kernel widens with the ratio; taps
  /// outside the source are left out and the rest rescaled (PyTorch's interpolate with
  /// antialias=True).
  static Linear resize(const Shape& src, ResizeKind kind, int h, int w, bool align_corners = false);
  /// `factor` times as large.
  static Linear enlarge(const Shape& src, int factor, ResizeKind kind = ResizeKind::bilinear,
                        bool align_corners = false);
  /// Low-pass filter and decimation: to floor(h / factor) x floor(w / factor). Sample centres keep
  /// the half-pixel grid (phase 0.5); the border is replicated.
  static Linear reduce(const Shape& src, ReduceKernel kernel, int factor);
  /// The mean of each factor x factor block; the rest at the lower right edge is dropped (floor).
  static Linear average_pool(const Shape& src, int factor);
  /// The centre h x w region (offset = surplus / 2, rounded down).
  static Linear center_crop(const Shape& src, int h, int w);
  /// Zeros around: the source lies in the centre of h x w (offset = surplus / 2, rounded down).
  static Linear pad(const Shape& src, int h, int w);
};

}  // namespace unmar
