#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "unmar/graph.h"
#include "unmar/image.h"

/// What is known of the damage: the operator A of y = A x + noise.
namespace unmar {

/// Linear: A(ax + by) = a A x + b A y, and A 0 = 0. Immutable.
class Operator {
 public:
  virtual ~Operator() = default;
  virtual std::string describe() const = 0;  ///< "lanczos2 reduction by 4"
  /// Shape of A x. throws Error{bad_argument} if x does not fit.
  virtual Shape output_shape(const Shape& x) const = 0;
  /// Writes A x into the graph. throws as output_shape.
  virtual NodeId write(Graph& graph, NodeId x) const = 0;
  /// What A x is compared with: y, without the pixels that tell nothing of x. A mask hides in y
  /// what it hides in x; the other operators use y as it is.
  virtual Tensor known_part(const Tensor& y) const;
  /// Whether x itself is what y should hold wherever y is known: identity and masks. Of the others
  /// only A x can be compared with y.
  virtual bool only_hides() const { return false; }
};

std::unique_ptr<Operator> make_identity();

/// y = m * x. mask [1,1,h,w] or [1,c,h,w] in [0,1]: 1 where the pixel is known, 0 where it is
/// missing; values between weight the loss. The mask serves every picture of a batch.
/// throws Error{bad_argument} if a value is outside of [0,1] or no pixel is known.
std::unique_ptr<Operator> make_mask(Tensor mask);

/// Low-pass filter and decimation as the op Reduce: y of h x w belongs to x of h*factor x w*factor.
/// throws Error{bad_argument} unless factor is 2, 3, 4 or 8.
std::unique_ptr<Operator> make_reduction(ReduceKernel kernel, int factor);

/// A for pictures of one shape, compiled once for those who apply it often. A need not outlive it.
/// Not thread-safe. Values of a masked-out pixel must be finite.
class CompiledOperator {
 public:
  /// threads: 0: as many as the machine has. throws as Operator::output_shape and make_engine.
  CompiledOperator(const Operator& A, const Shape& x_shape, std::string_view engine = "auto",
                   int threads = 0);
  ~CompiledOperator();
  CompiledOperator(CompiledOperator&&) noexcept;

  const Shape& x_shape() const;
  const Shape& y_shape() const;
  Tensor apply(const Tensor& x);          ///< A x
  Tensor apply_adjoint(const Tensor& v);  ///< A^T v
  /// A^+ v: the shortest x with A x = v, or as near as A comes to it; by conjugate gradients, to
  /// float rounding.
  Tensor apply_pseudo_inverse(const Tensor& v);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The same for one use, computed by the reference engine: the same on every machine, and exact up
/// to the rounding of a float. v [n,c,h,w] of shape A.output_shape(x_shape).
Tensor apply(const Operator& A, const Tensor& x);
Tensor apply_adjoint(const Operator& A, const Shape& x_shape, const Tensor& v);
Tensor apply_pseudo_inverse(const Operator& A, const Shape& x_shape, const Tensor& v);

/// Damage made from a seed, for experiments.
struct SimulateOptions {
  float sigma = 0.f;    ///< Gaussian noise, in [0,1] units (25.f / 255)
  float poisson = 0.f;  ///< shot noise: photons counted where the picture is 1; 0: off; up to 500
  float speckle = 0.f;  ///< multiplicative: x (1 + N(0, speckle^2)), up to 1
  float salt_pepper = 0.f;  ///< probability of a value to become 0 or 1, half each, up to 1
  bool clip = true;         ///< clamp to [0,1] after reduction and noise, as the paper's files are
  float missing = 0.f;      ///< probability of a pixel to be lost (all channels together), below 1
  int shrink = 1;           ///< reduction factor: 1, 2, 3, 4 or 8
  ReduceKernel kernel = ReduceKernel::lanczos3;
  std::uint64_t seed = 0;
};
struct Simulated {
  Image image;  ///< missing pixels are 0
  Image mask;   ///< one channel, 1 known, 0 missing; empty unless missing > 0
};
/// Reduces, then adds noise (shot, speckle, Gaussian, salt and pepper), then removes pixels. Sizes
/// that do not divide by `shrink` are centre-cropped to a multiple first. Each kind of noise and
/// the missing pixels are streams of their own of the seed ("noise" is the Gaussian one, in the
/// order of Image::pixels(), "missing" in that of one plane), so that one does not change the
/// other. A reduced image loses its alpha plane. throws Error{bad_argument} for an option out of
/// range.
Simulated simulate(const Image& clean, const SimulateOptions& options);

}  // namespace unmar
