#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "unmar/diffusion/weights.h"
#include "unmar/engine/engine.h"

namespace unmar {

struct UnetModelOptions {
  Shape sample{1, 3, 32, 32};  ///< the only shape that the model takes; see tiled()
  std::string engine = "auto";
  int threads = 0;                        ///< 0: as many as the machine has
  Precision precision = Precision::tf32;  ///< CompileOptions::precision
};

/// What a UnetModel will take, found without making it.
struct UnetCost {
  std::size_t memory = 0, memory_free = 0;  ///< bytes; 0: not known
  std::uint64_t macs = 0;                   ///< multiplications of one prediction
};
/// has_gradient: with the second program, of UnetModel::gradient().
UnetCost cost_of(const DdpmUnetOptions& unet, const UnetModelOptions& options,
                 bool has_gradient = false);

/// A DDPM U-Net with its weights, compiled for samples of one shape. Not thread-safe.
/// As a NoisePredictor: [&](const Tensor& x, int t) { return model.predict(x, t); }
class UnetModel {
 public:
  /// weights: as fit_to_unet() gives them. throws Error{bad_argument} if they are of another
  /// network or the shape does not suit it, Error{too_large} if memory does not suffice.
  UnetModel(const DdpmUnetOptions& unet, Weights weights, const UnetModelOptions& options);
  /// With weights that other models have, too.
  UnetModel(const DdpmUnetOptions& unet, std::shared_ptr<const Weights> weights,
            const UnetModelOptions& options);
  ~UnetModel();
  UnetModel(UnetModel&&) noexcept;

  /// x of options.sample; t: the same for all pictures of the batch. Once `cancel` is requested it
  /// returns soon, and what it returns means nothing.
  Tensor predict(const Tensor& x, int t, const std::stop_token& cancel = {});
  /// J^T u with J the derivative of predict() over x: a ModelGradient, for make_dps(). The first
  /// call compiles a second program, which keeps what the way back needs.
  Tensor gradient(const Tensor& x, int t, const Tensor& u);

 private:
  friend UnetCost cost_of(const DdpmUnetOptions& unet, const UnetModelOptions& options,
                          bool has_gradient);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unmar
