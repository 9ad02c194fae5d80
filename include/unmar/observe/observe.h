#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "unmar/image/image.h"
#include "unmar/operators/operators.h"

/// Operators at work: applied to tensors by an engine, and damage simulated on pictures.
namespace unmar {

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
  bool clip = true;  ///< clamp to [0,1] after blur, reduction and noise, as the paper's files are
  float missing = 0.f;  ///< probability of a pixel to be lost (all channels together), below 1
  std::shared_ptr<const Operator> blur = {};  ///< before all else; one that keeps the size
  int shrink = 1;                             ///< reduction factor: 1, 2, 3, 4 or 8
  ReduceKernel kernel = ReduceKernel::lanczos3;
  std::uint64_t seed = 0;
};
struct Simulated {
  Image image;  ///< missing pixels are 0
  Image mask;   ///< one channel, 1 known, 0 missing; empty unless missing > 0
};
/// Blurs, reduces, then adds noise (shot, speckle, Gaussian, salt and pepper), then removes pixels.
/// Sizes that do not divide by `shrink` are centre-cropped to a multiple first. Each kind of noise
/// and the missing pixels are streams of their own of the seed ("noise" is the Gaussian one, in the
/// order of Image::pixels(), "missing" in that of one plane), so that one does not change the
/// other. A reduced image loses its alpha plane. throws Error{bad_argument} for an option out of
/// range.
Simulated simulate(const Image& clean, const SimulateOptions& options);

}  // namespace unmar
