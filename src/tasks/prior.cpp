#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/fail.h"
#include "tasks/task.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace {

constexpr const char* kHeldOut = "held-out";
constexpr double kWantedHidden = 64, kMostHidden = 0.1;
/// Of fewer known pixels a tenth may be none.
constexpr double kFewestKnown = 100;

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d * d;
  }
  return sum / static_cast<double>(a.size());
}

/// Lets a fit that hides nothing, or too little, hide some pixels.
RestoreOptions with_hidden(const RestoreOptions& given, double known) {
  RestoreOptions o = given;
  if (!o.held_out) o.held_out = std::clamp(kWantedHidden / known, 0.02, kMostHidden);
  if (!o.watch)
    o.watch = kHeldOut;
  else if (fmt::format(",{},", *o.watch).find(fmt::format(",{},", kHeldOut)) == std::string::npos)
    o.watch = fmt::format("{},{}", *o.watch, kHeldOut);
  return o;
}

double spread(const Plan& plan) {
  const Tensor known = plan.A->known_part(Tensor(plan.y.shape(), 1.f));
  double weight = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < known.count(); ++i) {
    if (known.data()[i] == 0.f) continue;
    const double v = static_cast<double>(plan.y.data()[i]);
    weight += 1, sum += v, squares += v * v;
  }
  return std::sqrt(std::max(0., squares / weight - sum / weight * (sum / weight)));
}

double hidden_error(const Plan& plan, const RestoreOptions& resolved, const FitResult* fit) {
  if (!fit)
    fail(ErrorCode::bad_argument,
         "refine: the error of a prior that was not fitted here is not known; give `start` T0");
  for (std::size_t k = 0; k < fit->watched.size(); ++k) {
    if (fit->watched[k].name != kHeldOut) continue;
    const auto best = static_cast<std::size_t>(fit->best_iteration);
    const auto signal = fit->history[best].watched[k].signal;
    if (!signal) break;
    // Of a Gaussian error the mean magnitude is sqrt(2 / pi) of the deviation.
    return resolved.loss == LossKind::l1 ? *signal * std::sqrt(std::numbers::pi / 2)
                                         : std::sqrt(*signal);
  }
  return spread(plan);  // too few pixels to hide any: as bad as their mean
}

/// What y loses by being halved and enlarged again.
double octave(const Plan& plan) {
  Image y = to_image(plan.y);
  const int h = y.height() / 2 * 2, w = y.width() / 2 * 2;
  if (h == 0 || w == 0) return spread(plan);
  y = crop(y, 0, 0, h, w);
  const Tensor half = apply(*make_reduction(ReduceKernel::lanczos2, 2), to_tensor(y));
  return std::sqrt(squared_distance(enlarge_bicubic(to_image(half), 2).pixels(), y.pixels()));
}

}  // namespace

void require_refines(Task task) {
  if (!task_info(task).refines)
    fail(ErrorCode::bad_argument, "refine: what {} makes cannot be refined", to_string(task));
}

ErrorEstimate error_of_noise(const Plan& plan, const RestoreOptions& resolved, const Image& prior,
                             const FitResult*) {
  const double noise = resolved.sigma
                           ? *resolved.sigma / 255
                           : std::sqrt(squared_distance(prior.pixels(), plan.y.values()));
  return {noise / 2, noise};
}

ErrorEstimate error_at_hidden(const Plan& plan, const RestoreOptions& resolved, const Image&,
                              const FitResult* fit) {
  return {hidden_error(plan, resolved, fit), 0};
}

ErrorEstimate error_of_octaves(const Plan& plan, const RestoreOptions& resolved, const Image&,
                               const FitResult*) {
  return {octave(plan) * std::sqrt(std::log2(resolved.factor.value())), 0};
}

ErrorEstimate estimate_error(Task task, const Plan& plan, const RestoreOptions& resolved,
                             const Image& prior, const FitResult* fit) {
  require_refines(task);
  return task_spec(task).error(plan, resolved, prior, fit);
}

Prior generate_prior(Task task, const Image& degraded, const Image* mask,
                     const RestoreOptions& options, const RestoreContext& context) {
  require_refines(task);
  const RestoreOptions resolved = resolve(task, options);
  const Plan plan = make_plan(task, degraded, mask, resolved);
  RestoreOptions how = options;
  if (task_info(task).needs_mask)
    if (const double known = count_known(plan); known >= kFewestKnown)
      how = with_hidden(options, known);
  Prior prior{restore(task, degraded, mask, how, context), {}};
  prior.error = estimate_error(task, plan, resolved, prior.restored.image, &prior.restored.fit);
  return prior;
}

}  // namespace unmar
