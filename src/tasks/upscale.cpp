#include "tasks/plan.h"

namespace unmar {

Plan plan_upscale(const Image& small, const RestoreOptions& resolved) {
  Plan plan;
  plan.A = make_reduction(resolved.kernel.value(), resolved.factor.value());
  plan.y = to_tensor(small);
  plan.input = enlarge_bicubic(small, resolved.factor.value());
  plan.source = plan.input.source;
  return plan;
}

Restored upscale(const Image& small, int factor, const RestoreOptions& options,
                 const RestoreContext& context) {
  RestoreOptions with_factor = options;
  with_factor.factor = factor;
  return restore(Task::upscale, small, nullptr, with_factor, context);
}

}  // namespace unmar
