#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "unmar/engine/engine.h"
#include "unmar/models/gan.h"

namespace unmar {

/// How a GAN learns; the defaults are those of Radford et al., 2016.
struct GanTrainerOptions {
  GanOptions gan;
  int batch = 64;
  float lr = 2e-4f, lr_discriminator = 2e-4f;  ///< of the two Adams
  float beta1 = 0.5f;                          ///< of both
  float ema_decay = 0.999f;                    ///< of the generator's average
  float smooth = 0.f;  ///< real pictures have the target 1 - smooth (Salimans et al., 2016)
  GanNorm norm_discriminator = GanNorm::batch;
  std::uint64_t seed = 0;
  int threads = 0;  ///< 0: as many as the machine has
  std::string engine = "auto";
};

/// What an update tells of the game.
struct GanUpdate {
  float generator_loss = 0, discriminator_loss = 0;
  /// Share of the pictures, real and generated, that the discriminator tells right: 0.5 guesses.
  float accuracy = 0;
  /// Standard deviation of the generated batch, pixel by pixel, over that of the real one.
  float diversity = 0;
};

/// What goes wrong most often, seen in the means of the last kGanWindow updates.
struct GanSigns {
  bool collapsed = false;                 ///< diversity below 0.3: all samples look alike
  bool discriminator_too_strong = false;  ///< accuracy above 0.98: nothing is left to learn from it
};
inline constexpr std::size_t kGanWindow = 200;
/// Nothing before there are so many updates.
GanSigns failure_signs(std::span<const GanUpdate> updates);

/// All that a trainer has learned; restoring it continues to the same bits.
struct GanTrainerState {
  TrainState generator, discriminator;
  std::vector<float> updates;  ///< four numbers each, as GanUpdate has them
  /// With GanNorm::spectral: the estimate of the left singular vector of each weight of the
  /// discriminator, from which the next one begins.
  std::vector<Tensor> directions = {};
};
void serialize(Archive& archive, GanTrainerState& state);

/// Teaches a generator and a discriminator against each other, each with its own Adam, by the
/// non-saturating loss of Goodfellow et al., 2014: the discriminator makes -log D(x) - log(1 -
/// D(G(z))) smaller, the generator -log D(G(z)). Both see the other as it was before the update, so
/// one batch of generated pictures serves both. The discriminator's norms take real and generated
/// pictures apart. With GanNorm::spectral each weight of the discriminator, as a matrix of one row
/// for each channel of its result, is divided by its largest singular value, at the start and after
/// each update. Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR
/// 2018, have the division in the network and take the gradient through it; this is a projection,
/// as in Gouk et al., "Regularisation of neural networks by enforcing Lipschitz continuity",
/// Machine Learning 110, 2021, which shrinks norms above its bound only. The estimate of the norm
/// is Miyato's: one power iteration each update, from where the last one ended. The same seed and
/// pictures give the same weights bit for bit, for every number of threads. Not thread-safe.
class GanTrainer {
 public:
  /// throws Error{bad_argument} if options are out of range, Error{too_large} if memory does not
  /// suffice.
  explicit GanTrainer(const GanTrainerOptions& options);
  ~GanTrainer();
  GanTrainer(GanTrainer&&) noexcept;

  /// One update of both; real [batch,channels,size,size] in [-1,1]. What the generator starts from
  /// is drawn by seed and number of the update.
  /// throws Error{numeric} if a loss or gradient is not finite.
  const GanUpdate& step(TensorView real);

  std::span<const GanUpdate> updates() const;
  std::size_t param_count() const;  ///< of both networks
  /// Of the generator, averaged, in the order of gan_tensors(): what to sample with.
  std::vector<Tensor> averages() const;
  std::size_t memory_bytes() const;
  /// What that will be, found without taking it. throws Error{bad_argument} as the constructor.
  static std::size_t memory_needed(const GanTrainerOptions& options);

  GanTrainerState state() const;
  /// throws Error{bad_argument} if it is of other networks; the trainer keeps its own then.
  void restore(const GanTrainerState& state);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unmar
