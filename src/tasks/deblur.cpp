#include "base/fail.h"
#include "tasks/task.h"
#include "tasks/values.h"

namespace unmar {
namespace {

void quick_deblur(RestoreOptions& o, const RestoreOptions&) {
  o.scales = 4;
  o.iterations = 2000;
  o.reg_noise_std = 0.01;
}

/// The paper has no such task: its network, and its iterations for enlarging eight times.
void paper_deblur(RestoreOptions& o, const RestoreOptions&) {
  o.iterations = 4000;
  o.reg_noise_std = 0.01;
}

void check_deblur(const RestoreOptions& given) {
  if (given.blur && given.blur_kernel)
    fail(ErrorCode::bad_argument,
         "deblur: the blur is given both in words, '{}', and as a picture; give one of them",
         *given.blur);
  if (!given.blur && !given.blur_kernel)
    fail(ErrorCode::bad_argument, "deblur: `blur` is missing; give {}",
         allowed_values(option_spec("blur")));
}

std::unique_ptr<Operator> known_blur(const RestoreOptions& resolved) {
  if (resolved.blur_kernel) return make_kernel_blur(to_tensor(to_gray(*resolved.blur_kernel)));
  try {
    return parse_blur(resolved.blur.value());
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("deblur: {}", error.what()));
  }
}

Plan plan_deblur(const Image& blurred, const Image*, const RestoreOptions& resolved) {
  Plan plan;
  Tensor known = take_values(plan, blurred);
  plan.A = known_blur(resolved);
  if (!known.empty()) plan.A = make_masked(std::move(plan.A), std::move(known));
  paste_kept(plan, blurred);
  return plan;
}

}  // namespace

TaskSpec deblur_task() {
  return {
      .task = Task::deblur,
      .info = {.name = "deblur",
               .summary = "Sharpen a picture whose blur is known",
               .details =
                   "A network is fitted so that its picture, blurred alike, is the given one. The "
                   "blur has to be known:\nshaken along a line, out of focus, or by a kernel in a "
                   "picture.",
               .examples =
                   "  unmar deblur soft.png --blur gauss:2 -o sharp.png\n"
                   "  unmar deblur shaken.png --blur motion:15,30 -o sharp.png\n"
                   "  unmar deblur shaken.png --blur kernel.png -o sharp.png --sigma 5 --stop "
                   "discrepancy"},
      .quick = quick_deblur,
      .best = nullptr,
      .paper = paper_deblur,
      .check = check_deblur,
      .plan = plan_deblur,
      .counted = known_blur,
  };
}

Restored deblur(const Image& blurred, const std::string& blur, const RestoreOptions& options,
                const RestoreContext& context) {
  RestoreOptions with_blur = options;
  with_blur.blur = blur;
  return restore(Task::deblur, blurred, nullptr, with_blur, context);
}

Restored deblur(const Image& blurred, const Image& kernel, const RestoreOptions& options,
                const RestoreContext& context) {
  RestoreOptions with_kernel = options;
  with_kernel.blur_kernel = std::make_shared<const Image>(kernel);
  return restore(Task::deblur, blurred, nullptr, with_kernel, context);
}

}  // namespace unmar
