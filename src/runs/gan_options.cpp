#include "runs/training_rows.h"
#include "unmar/runs/gan.h"

namespace unmar {
namespace {

using G = GanTrainingRequest;

std::vector<Option<G>> gan_network() {
  return {
      integer("latent", &G::latent, 1, 4096, "numbers that a picture is made from"),
      with_alias("--channels", integer("width", &G::width, 1, 1024,
                                       "width of the finest level of both networks; each level "
                                       "below has twice as many channels and half the side")),
      one_of("kernel", &G::kernel, {3, 5, 7, 9}, "side of the discriminator's convolutions"),
      choice("norm-discriminator", &G::norm_discriminator,
             {{"batch", GanNorm::batch}, {"spectral", GanNorm::spectral}},
             "what keeps the discriminator in bounds: norms over the batch, or weights whose "
             "largest singular value is held at 1"),
  };
}

std::vector<Option<G>> gan_training() {
  return {
      integer("batch", &G::batch, 2, 4096, "pictures in one iteration"),
      number("lr", &G::lr, 1e-7, 1, "learning rate of the generator's Adam"),
      number("lr-discriminator", &G::lr_discriminator, 1e-7, 1,
             "learning rate of the discriminator's Adam; lower it if the discriminator is too "
             "strong"),
      number("beta1", &G::beta1, 0, 0.999, "weight of the past in both Adams' gradients"),
      number("ema", &G::ema, 1e-6, 0.999999,
             "weight of the past in the average of the generator, which is what is kept; 0.999 "
             "covers about 1000 iterations"),
      number("smooth", &G::smooth, 0, 0.49,
             "the discriminator is to give real pictures 1 - X instead of 1; 0.1 keeps it from "
             "growing too sure"),
      flag("flip", &G::flip, "mirror every other picture"),
      integer("seed", &G::seed, 0, 9'007'199'254'740'992,
              "start of the random numbers; same seed, same model"),
      text("engine", &G::engine,
           "what computes; auto is the fastest, 'unmar info' lists the others"),
      choice("weights", &G::type, {{"f32", WeightType::f32}, {"f16", WeightType::f16}},
             "how the model's numbers are stored: in 4 bytes or in 2"),
  };
}

std::vector<Option<G>> gan_training_table() {
  std::vector<Option<G>> table;
  add_group(table, "Pictures", runs::picture_rows<G>());
  add_group(table, "Networks", gan_network());
  add_group(table, "Training", gan_training());
  add_group(table, kTrainingRun, runs::running_rows<G>());
  return table;
}

std::vector<Option<GanSamplesRequest>> gan_sampling_table() {
  using S = GanSamplesRequest;
  std::vector<Option<S>> table;
  add_group(table, "Sampling",
            {with_alias("-n", integer("count", &S::count, 1, 100'000, "how many pictures")),
             integer("seed", &S::seed, 0, 9'007'199'254'740'992,
                     "start of the random numbers; same seed, same pictures"),
             integer("threads", &S::threads, 0, 1024,
                     "cores to use, 0 for all; the result does not depend on it"),
             text("engine", &S::engine,
                  "what computes; auto is the fastest, 'unmar info' lists the others")});
  return table;
}

}  // namespace

const std::vector<Option<GanTrainingRequest>>& gan_training_options() {
  static const std::vector<Option<G>> table = gan_training_table();
  return table;
}

const std::vector<Option<GanSamplesRequest>>& gan_sampling_options() {
  static const std::vector<Option<GanSamplesRequest>> table = gan_sampling_table();
  return table;
}

}  // namespace unmar
