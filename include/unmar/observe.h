#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "unmar/graph.h"
#include "unmar/image.h"

/// What is known of the damage: the operator A of y = A x + noise.
namespace unmar {

class Operator {
 public:
  virtual ~Operator() = default;
  virtual std::string describe() const = 0;  ///< "lanczos2 reduction by 4"
  /// Shape of A x. throws Error{bad_argument} if x does not fit.
  virtual Shape output_shape(const Shape& x) const = 0;
  /// Writes A x into the graph.
  virtual NodeId write(Graph& graph, NodeId x) const = 0;
};

std::unique_ptr<Operator> make_identity();
/// mask [1,1,h,w] or [1,c,h,w]: 1 where the pixel is known, 0 where it is missing; values between
/// weight the loss.
std::unique_ptr<Operator> make_mask(Tensor mask);
std::unique_ptr<Operator> make_reduction(ReduceKernel kernel, int factor);  ///< factor 2, 3, 4 or 8

Tensor apply(const Operator& A, const Tensor& x);                                ///< A x
Tensor apply_adjoint(const Operator& A, const Shape& x_shape, const Tensor& v);  ///< A^T v

Tensor to_tensor(const Image& image);  ///< [1,c,h,w]
/// [1,c,h,w] with c 1 or 3 -> image that carries `source` on.
Image to_image(const Tensor& tensor, const ImageSource& source = {});

/// Damage made from a seed, for experiments.
struct SimulateOptions {
  float sigma = 0.f;    ///< Gaussian noise, in [0,1] units (25.f / 255)
  bool clip = true;     ///< clamp to [0,1] after adding the noise, as the paper's files are
  float missing = 0.f;  ///< fraction of pixels lost (all channels together)
  int shrink = 1;       ///< reduction factor
  ReduceKernel kernel = ReduceKernel::lanczos3;
  std::uint64_t seed = 0;
};
struct Simulated {
  Image image;
  Image mask;  ///< 1 known, 0 missing; empty unless missing > 0
};
/// Reduces, then adds noise, then removes pixels. Sizes that do not divide by `shrink` are
/// centre-cropped to a multiple first.
Simulated simulate(const Image& clean, const SimulateOptions& options);

}  // namespace unmar
