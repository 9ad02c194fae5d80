#include <algorithm>
#include <numeric>
#include <optional>

#include "base/fail.h"
#include "tasks/blend.h"
#include "tasks/fits.h"
#include "tasks/fitted_tiles.h"
#include "tasks/plan.h"
#include "tasks/task.h"
#include "unmar/tasks/version.h"

namespace unmar {

RestoreOptions resolve_for(Task task, const Image& observed, const Image* mask,
                           const RestoreOptions& given) {
  const RestoreOptions options = resolve(task, given);
  const auto suit = task_spec(task).suit;
  if (!suit || observed.empty()) return options;
  return resolve(task, suit(given, options, observed, mask));
}

SharedMetadata with_maker(Task task, const SharedMetadata& metadata) {
  return with_provenance(metadata, fmt::format("Unmar {} {}", version(), to_string(task)));
}

Plan make_plan(Task task, const Image& observed, const Image* mask,
               const RestoreOptions& resolved) {
  if (observed.empty())
    fail(ErrorCode::bad_argument, "{}: the picture has no pixels", to_string(task));
  Plan plan = task_spec(task).plan(observed, mask, resolved);
  plan.strength = resolved.strength.value();
  plan.source.metadata = with_maker(task, plan.source.metadata);
  return plan;
}

std::string fitted_network(const Restored& restored) {
  return restored.options.prior == FitPrior::gan ? "GAN generator" : network_name(restored.network);
}

Tensor fully_known(const Plan& plan) {
  Tensor known = plan.A->known_part(Tensor(plan.y.shape(), 1.f));
  for (float& v : known.values()) v = v >= 1.f ? 1.f : 0.f;
  return known;
}

double count_known(const Plan& plan) {
  const Tensor known = fully_known(plan);
  return std::reduce(known.values().begin(), known.values().end(), 0.0) / plan.y.shape().c;
}

void check_reference(Task task, const Image& observed, const Plan& plan, const Image& reference) {
  if (!reference.same_size(plan.input)) {
    const std::string origin =
        task_spec(task).enlargement
            ? fmt::format(" ({}x{} px enlarged)", observed.width(), observed.height())
            : "";
    fail(ErrorCode::bad_input,
         "{}: the reference is {}x{} px with {} channels but the result will be {}x{} px{} with "
         "{}; give a clean picture of the same kind",
         to_string(task), reference.width(), reference.height(), reference.channels(),
         plan.input.width(), plan.input.height(), origin, plan.input.channels());
  }
}

namespace {

/// Passes the fit's progress on, and a preview now and then.
std::function<void(const FitProgress&)> reporter(const Plan& plan, const RestoreContext& context) {
  const bool previews = context.on_preview && context.preview_every > 0;
  if (!previews) return context.on_iteration;
  return [&plan, &context](const FitProgress& progress) {
    const int done = progress.row.iteration + 1;
    if (done % context.preview_every == 0 && !progress.cancelled)
      context.on_preview(
          done, finish(plan, progress.average.empty() ? progress.restored : progress.average));
    if (context.on_iteration) context.on_iteration(progress);
  };
}

void compare_with(const Image& reference, const Plan& plan, Restored& result) {
  result.psnr = psnr(result.image, reference);
  result.ssim = ssim(result.image, reference);
  result.psnr_input = psnr(plan.input, reference);
  result.ssim_input = ssim(plan.input, reference);
  for (Candidate& candidate : result.candidates) candidate.psnr = psnr(candidate.image, reference);
}

/// Takes the image back towards what came in, but where that is missing.
void weaken(const Plan& plan, Image& image) {
  const Shape shape{1, image.channels(), image.height(), image.width()};
  const Tensor known = plan.y.shape() == shape ? fully_known(plan) : Tensor(shape, 1.f);
  const auto share = static_cast<float>(plan.strength);
  const auto from = plan.input.pixels();
  const auto to = image.pixels();
  for (std::size_t i = 0; i < to.size(); ++i)
    if (known.data()[i] > 0.f) to[i] = share * to[i] + (1 - share) * from[i];
}

}  // namespace

Image finish(const Plan& plan, const Tensor& restored) {
  Image image = clamped(to_image(restored, plan.source));
  image.source = plan.source;
  if (plan.strength < 1) weaken(plan, image);
  if (plan.paste.empty()) return image;
  for (int c = 0; c < image.channels(); ++c) {
    const auto paste = plan.paste.plane(plan.paste.channels() == 1 ? 0 : c);
    const auto from = plan.input.plane(c);
    const auto to = image.plane(c);
    for (std::size_t i = 0; i < paste.size(); ++i)
      if (paste[i] >= 1.f)
        to[i] = from[i];
      else if (paste[i] > 0.f)
        to[i] = paste[i] * from[i] + (1.f - paste[i]) * to[i];
  }
  return image;
}

Restored restore(Task task, const Image& observed, const Image* mask, const RestoreOptions& given,
                 const RestoreContext& context) {
  Restored result;
  result.options = resolve_for(task, observed, mask, given);
  const RestoreOptions& options = result.options;
  const auto engine = make_engine(options.engine.value());
  const bool fits = options.method != Method::patches;
  // Before the plan is made, which may already be large, and which refuses an empty picture.
  if (fits && !observed.empty()) require_memory(task, observed, options, *engine);
  const Plan plan = make_plan(task, observed, mask, options);
  if (plan.noise) suit_noise(given, *plan.noise, is_brief(given, plan, options), result.options);
  if (context.reference) check_reference(task, observed, plan, *context.reference);
  result.noise = plan.noise;
  result.values = plan.counts;
  result.engine = engine->info();

  std::optional<Fits> all;
  if (fits) {
    all.emplace(task, plan, options, context.attempts);
    result.tiles = plan.tiles ? plan.tiles->count() : 1;
    result.engine = engine->info_for(all->first().problem.graph);
    if (options.prior != FitPrior::gan) result.network = network_options(options);
    result.params = all->first().problem.graph.param_count();
    result.macs = count_macs(all->first().problem.graph);
  }
  if (context.on_start) context.on_start(result);
  std::optional<Blend> blend;
  if (plan.noise) {
    blend.emplace(plan, options, context.cancel, context.on_filter);
    Candidate first = blend->filter();
    if (context.reference) first.psnr = psnr(first.image, *context.reference);
    if (fits && context.on_first_result && !context.cancel.stop_requested())
      context.on_first_result(first);
    result.image = first.image;
  }
  if (fits) {
    if (options.input == InputKind::filtered) all->start_from(blend->filter_without(all->hidden()));
    // Made anew for who looks: the problem keeps its own within the graph.
    const Draw& first = all->first();
    const Tensor z = context.on_scene ? make_input(first.x_shape, first.start) : Tensor();
    const Tensor y = context.on_scene ? plan.A->known_part(plan.y) : Tensor();
    if (context.on_scene) context.on_scene({plan.input, z, *plan.A, y});

    const Hidden hidden = all->hidden();
    try {
      const Tensor around = plan.tiles ? to_tensor(result.image) : Tensor();
      result.fit = all->run(*engine, context, reporter(plan, context), around);
    } catch (const Error& error) {
      if (!blend || error.code() != ErrorCode::cancelled) throw;
      result.fit.stopped_by = StoppedBy::cancelled;  // the filter's result is there
    }
    result.weights = std::move(result.fit.state.params);
    result.fit.state = {};
    all.reset();
    if (!blend)
      result.image = finish(plan, result.fit.best);
    else if (result.fit.stopped_by != StoppedBy::cancelled)
      result.image = finish(plan, blend->with(result.fit.best, result.fit.seconds, hidden));
  }
  if (blend) result.candidates = blend->take_candidates();
  // Before and behind the fit, too, there is work that can be cancelled.
  const bool cut = fits ? result.candidates.size() == 1 : context.cancel.stop_requested();
  if (blend && cut) result.fit.stopped_by = StoppedBy::cancelled;
  if (context.reference) compare_with(*context.reference, plan, result);
  return result;
}

Image finish_moment(Task task, const Image& observed, const Image* mask,
                    const RestoreOptions& options, const Tensor& moment) {
  const RestoreOptions resolved = resolve(task, options);
  const Plan plan = make_plan(task, observed, mask, resolved);
  const Shape expected{1, plan.input.channels(), plan.input.height(), plan.input.width()};
  if (moment.shape() != expected)
    fail(ErrorCode::bad_input, "{}: the iterate is {} but the result is {}", to_string(task),
         to_string(moment.shape()), to_string(expected));
  if (!plan.noise) return finish(plan, moment);
  Blend blend(plan, resolved, {});
  blend.filter();
  return finish(plan, blend.with(moment, 0, make_stopping(task, plan, resolved).hidden));
}

}  // namespace unmar
