#pragma once

#include "unmar/gan/model.h"
#include "unmar/gan/trainer.h"

namespace unmar::gan_test {

/// Small enough for milliseconds an update.
inline GanTrainerOptions small_training() {
  GanTrainerOptions o;
  o.gan = {.size = 8, .channels = 1, .latent = 4, .width = 8, .kernel = 3};
  o.batch = 8;
  o.lr = o.lr_discriminator = 2e-3f;
  o.ema_decay = 0.9f;
  o.seed = 3;
  return o;
}

/// Pictures of stripes, upright and level in turn, and lighter or darker.
inline Tensor stripes(const GanTrainerOptions& o, int number) {
  Tensor x({o.batch, 1, o.gan.size, o.gan.size});
  for (int n = 0; n < o.batch; ++n)
    for (int y = 0; y < o.gan.size; ++y)
      for (int col = 0; col < o.gan.size; ++col) {
        const bool light = ((n + number) % 2 == 0 ? y : col) / 2 % 2 == 0;
        x.at(n, 0, y, col) = (light ? 0.9f : -0.9f) + 0.02f * static_cast<float>((n + number) % 5);
      }
  return x;
}

inline void train(GanTrainer& trainer, const GanTrainerOptions& o, int first, int last) {
  for (int i = first; i < last; ++i) trainer.step(stripes(o, i));
}

}  // namespace unmar::gan_test
