#include "base/fail.h"
#include "tasks/task.h"
#include "tasks/values.h"

namespace unmar {
namespace {

bool strong(const RestoreOptions& given) { return given.factor.value_or(4) >= 8; }

void paper_upscale(RestoreOptions& o, const RestoreOptions& given) {
  o.iterations = strong(given) ? 4000 : 2000;
  o.reg_noise_std = strong(given) ? 0.05 : 0.03;
  o.average = false;
  o.rollback = 0;
}

void quick_upscale(RestoreOptions& o, const RestoreOptions& given) {
  o.iterations = 700;
  o.reg_noise_std = strong(given) ? 0.05 : 0.03;
}

void check_upscale(const RestoreOptions& given) {
  if (given.factor) return;
  fail(ErrorCode::bad_argument, "upscale: `factor` is missing; give {}",
       allowed_values(option_spec("factor")));
}

std::unique_ptr<Operator> reduction(const RestoreOptions& resolved) {
  return make_reduction(resolved.kernel.value(), resolved.factor.value());
}

int factor(const RestoreOptions& resolved) { return resolved.factor.value(); }

Plan plan_upscale(const Image& small, const Image*, const RestoreOptions& resolved) {
  Plan plan;
  Tensor known = take_values(plan, small);
  plan.A = reduction(resolved);
  if (!known.empty()) plan.A = make_masked(std::move(plan.A), std::move(known));
  plan.input = enlarge_bicubic(plan.input, resolved.factor.value());
  plan.source = plan.input.source;
  paste_kept(plan, small, resolved.factor.value());
  return plan;
}

}  // namespace

TaskSpec upscale_task() {
  return {
      .task = Task::upscale,
      .info =
          {.name = "upscale",
           .summary = "Enlarge a picture 2, 3, 4 or 8 times",
           .details =
               "A network is fitted so that its large picture, reduced, is the given small one.",
           .examples = "  unmar upscale small.png --factor 4 -o large.png\n"
                       "  unmar upscale small.png --factor 2 -o large.png --preset paper",
           .refines = true},
      .quick = quick_upscale,
      .best = nullptr,
      .paper = paper_upscale,
      .check = check_upscale,
      .plan = plan_upscale,
      .counted = reduction,
      .enlargement = factor,
      .error = error_of_octaves,
  };
}

Restored upscale(const Image& small, int factor, const RestoreOptions& options,
                 const RestoreContext& context) {
  RestoreOptions with_factor = options;
  with_factor.factor = factor;
  return restore(Task::upscale, small, nullptr, with_factor, context);
}

}  // namespace unmar
