#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "unmar/base/random.h"
#include "unmar/diffusion/trainer.h"

namespace unmar {

TrainingBatch training_batch(const NoiseSchedule& schedule, Prediction prediction,
                             const Tensor& pictures, std::uint64_t seed, std::int64_t number) {
  const Shape shape = pictures.shape();
  TrainingBatch batch{Tensor(shape), Tensor({shape.n, 1, 1, 1}), Tensor(shape)};
  Random(seed, fmt::format("timesteps.{}", number)).uniform(batch.timesteps.values(), 0.f, 1.f);
  Tensor noise(shape);
  Random(seed, fmt::format("noise.{}", number)).normal(noise.values());
  const std::size_t size = pictures.count() / static_cast<std::size_t>(shape.n);
  for (int n = 0; n < shape.n; ++n) {
    float& timestep = batch.timesteps.at(n, 0, 0, 0);
    // The product can round up to the number of steps.
    const int t = std::min(static_cast<int>(timestep * static_cast<float>(schedule.steps())),
                           schedule.steps() - 1);
    timestep = static_cast<float>(t);
    const double signal = std::sqrt(schedule.alpha_bar(t));
    const double spread = std::sqrt(1 - schedule.alpha_bar(t));
    const std::size_t begin = static_cast<std::size_t>(n) * size;
    for (std::size_t i = begin; i < begin + size; ++i) {
      const double x0 = pictures.data()[i], eps = noise.data()[i];
      const double target = prediction == Prediction::epsilon  ? eps
                            : prediction == Prediction::sample ? x0
                                                               : signal * eps - spread * x0;
      batch.noisy.data()[i] = static_cast<float>(signal * x0 + spread * eps);
      batch.target.data()[i] = static_cast<float>(target);
    }
  }
  return batch;
}

}  // namespace unmar
