#include "tasks/plan.h"

namespace unmar {

Plan plan_denoise(const Image& noisy) {
  Plan plan;
  plan.A = make_identity();
  plan.y = to_tensor(noisy);
  plan.input = noisy;
  plan.source = noisy.source;
  return plan;
}

Restored denoise(const Image& noisy, const RestoreOptions& options, const RestoreContext& context) {
  return restore(Task::denoise, noisy, nullptr, options, context);
}

}  // namespace unmar
