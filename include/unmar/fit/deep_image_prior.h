#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/fit/fit.h"

namespace unmar {

struct DeepImagePriorOptions {
  NetworkOptions network;
  InputKind input = InputKind::uniform;  ///< uniform, normal, meshgrid or fourier
  int input_channels = 32;
  int output_channels = 3;  ///< of forward() before the first fit
  Optimise optimise = Optimise::weights;
  float learning_rate = 0.01f;
  std::uint64_t seed = 0;       ///< draws input, weights and jitter
  std::string engine = "auto";  ///< or one of engine_names()
  int threads = 0;              ///< 0: all cores
};

/// What generate_prior may know beside the picture. All of it is borrowed for the call.
struct PriorContext {
  const Operator* observation = nullptr;  ///< A of target = A image + noise; nullptr: identity
  Shape image_shape{0, 0, 0, 0};          ///< where A changes the size: that of the image
  /// Called after each iteration of image `index` of the stack; false ends that fit.
  std::function<bool(int index, const FitProgress&)> on_iteration = {};
  /// Makes the stopper of each fit; empty: all iterations.
  std::function<std::unique_ptr<Stopper>()> make_stopper = {};
  float average = 0.99f;  ///< decay of the running average of the result; 0: off
};

/// Deep Image Prior as an object with the calls of the usual PyTorch notebooks: a network, a random
/// input, and fitting the one to give a picture from the other.
///
///   DeepImagePrior prior({.network = UnetOptions{}});
///   const Tensor restored = prior.generate_prior(noisy, 2000, 1.f / 30);
///   const Tensor again = prior.forward(prior.get_random_input(noisy.shape()));
///
/// device: "auto", or one that the engine has; else Error{unsupported}, as "cuda" without such an
/// engine.
class DeepImagePrior {
 public:
  explicit DeepImagePrior(DeepImagePriorOptions options = {});

  /// The network's output for noise [n,c,h,w], cropped to the size last asked of get_random_input
  /// or fitted, if the noise belongs to it. The weights are those of the last fit, else the random
  /// start. After a stack of images, picture i of the noise goes through the weights of image i.
  /// throws Error{bad_argument} if channels or pictures do not fit the weights.
  Tensor forward(const Tensor& noise);

  /// The same noise for the same options and shape [n,c,h,w] of an image. Encoder-decoders take H x
  /// W, decoders that double `layers` times H / 2^layers x W / 2^layers, rounded up.
  Tensor get_random_input(const Shape& target_shape, std::string_view device = "auto");

  /// Fits from the random start and returns the restored images, [n,c,h,w]. Each image of a stack
  /// is fitted by itself, with weights of its own, one after the other. reg_noise_std: sigma of the
  /// noise added to the input anew in each iteration; 0: none. throws what make_problem() and fit()
  /// throw.
  Tensor generate_prior(const Tensor& target_image, int iterations, float reg_noise_std = 1.f / 30,
                        std::string_view device = "auto", const PriorContext& context = {});

  const std::vector<FitResult>& results() const { return results_; }  ///< of the last stack
  const DeepImagePriorOptions& options() const { return options_; }

 private:
  ProblemOptions problem_options(float reg_noise_std) const;

  DeepImagePriorOptions options_;
  Shape target_{0, 0, 0, 0};
  std::vector<FitResult> results_;
};

}  // namespace unmar
