#include "tasks/plan.h"

namespace unmar {

NoiseOptions noise_options(const RestoreOptions& o) {
  NoiseOptions known;
  known.kind = o.noise;
  if (o.sigma) known.sigma = *o.sigma / 255;
  return known;
}

Plan plan_denoise(const Image& noisy, const RestoreOptions& resolved) {
  Plan plan;
  plan.A = make_identity();
  plan.y = to_tensor(noisy);
  plan.input = noisy;
  plan.source = noisy.source;
  if (resolved.method == Method::dip) return plan;
  plan.noise = estimate_noise(noisy, noise_options(resolved));
  // Salt and pepper tell nothing: to the fit they are holes.
  if (plan.noise->impulses > 0) plan.A = make_mask(known_of_impulses(plan.y));
  return plan;
}

Restored denoise(const Image& noisy, const RestoreOptions& options, const RestoreContext& context) {
  return restore(Task::denoise, noisy, nullptr, options, context);
}

}  // namespace unmar
