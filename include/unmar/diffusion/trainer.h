#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "unmar/diffusion/diffusion.h"
#include "unmar/engine/engine.h"
#include "unmar/models/ddpm_unet.h"

namespace unmar {

/// How a noise predictor learns; the defaults are those of Ho et al. 2020 for CIFAR-10.
struct TrainerOptions {
  DdpmUnetOptions unet = ddpm_cifar10_unet();
  Shape batch{128, 3, 32, 32};  ///< of the samples
  float lr = 2e-4f;             ///< of Adam
  int warmup = 5000;            ///< updates over which the rate rises to lr, from lr / warmup on
  float clip_norm = 1.f;        ///< of all gradients together; 0: not clipped
  float ema_decay = 0.9999f;    ///< of the average; the first update copies the weights
  std::uint64_t seed = 0;       ///< draws the weights and what dropout drops
  int threads = 0;              ///< 0: as many as the machine has
  std::string engine = "auto";
  Precision precision = Precision::tf32;  ///< CompileOptions::precision
};

/// All that a trainer has learned; restoring it continues to the same bits.
struct TrainerState {
  TrainState train;
  std::vector<float> losses;
};
void serialize(Archive& archive, TrainerState& state);

/// What a trainer is shown in one update.
struct TrainingBatch {
  Tensor noisy, timesteps, target;  ///< as Trainer::step() takes them
};
/// Noise on pictures [n,c,h,w] in [-1,1], each at a timestep of its own, all equally likely. The
/// draws are named by seed and the update's number alone, so that training can go on where it
/// ended.
TrainingBatch training_batch(const NoiseSchedule& schedule, Prediction prediction,
                             const Tensor& pictures, std::uint64_t seed, std::int64_t number);

/// Teaches a DDPM U-Net to tell the noise in its samples: mean squared error, Adam, a rate that
/// warms up, clipped gradients, an average of the weights. The same seed and batches give the same
/// weights bit for bit, for every number of threads. Not thread-safe.
class Trainer {
 public:
  /// throws Error{bad_argument} if the options contradict each other, Error{too_large} if memory
  /// does not suffice.
  explicit Trainer(const TrainerOptions& options);
  /// What memory_bytes() will be, found without taking it. throws Error{bad_argument} as above.
  static std::size_t memory_needed(const TrainerOptions& options);
  ~Trainer();
  Trainer(Trainer&&) noexcept;

  /// One update; returns the loss before it. noisy [n,c,h,w]: samples with noise; timesteps
  /// [n,1,1,1]: how much, 0 to 999; target [n,out,h,w]: what the network shall say of them, e.g.
  /// the noise. throws Error{numeric} if loss or gradients are not finite; nothing is updated then.
  float step(TensorView noisy, TensorView timesteps, TensorView target);

  /// The loss on any batch, without dropout or update.
  float validate(TensorView noisy, TensorView timesteps, TensorView target) const;

  std::int64_t updates() const;
  std::span<const float> losses() const;  ///< of each update
  std::span<const Param> params() const;  ///< names and shapes of the weights
  std::vector<Tensor> weights() const;    ///< in the order of params()
  std::vector<Tensor> averages() const;   ///< what to sample with
  std::size_t memory_bytes() const;

  TrainerState state() const;
  /// throws Error{bad_argument} if it is of another network; the trainer keeps its own then.
  void restore(const TrainerState& state);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unmar
