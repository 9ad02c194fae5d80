#include <algorithm>
#include <numeric>
#include <optional>

#include "base/fail.h"
#include "tasks/blend.h"
#include "tasks/plan.h"
#include "tasks/runs.h"
#include "tasks/stopping.h"
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

/// The picture that the network starts from, if that is one.
Tensor input_picture(Task task, const Plan& plan, const RestoreOptions& o) {
  // What is kept may lie far outside of the range.
  if (o.input == InputKind::observed)
    return to_tensor(plan.counts.outliers_kept > 0 ? clamped(plan.input) : plan.input);
  if (o.input != InputKind::guide) return {};
  if (!o.guide)
    fail(ErrorCode::bad_argument, "{}: `input` guide needs a picture; give `guide` FILE",
         to_string(task));
  if (o.guide->width() != plan.input.width() || o.guide->height() != plan.input.height())
    fail(ErrorCode::bad_input, "{}: the guide is {}x{} px but the result will be {}x{} px; crop it",
         to_string(task), o.guide->width(), o.guide->height(), plan.input.width(),
         plan.input.height());
  return to_tensor(*o.guide);
}

/// Before the plan is made, which may already be large.
void require_memory_for(Task task, const Image& observed, const RestoreOptions& o,
                        const Engine& engine) {
  if (observed.empty()) return;  // make_plan() refuses it
  const TaskSpec& spec = task_spec(task);
  const int factor = spec.enlargement ? spec.enlargement(o) : 1;
  constexpr int kMostSide = 1 << 24;  // no overflow below; the graph says what is too large
  const Shape picture{1, observed.channels(), std::min(observed.height(), kMostSide) * factor,
                      std::min(observed.width(), kMostSide) * factor};
  const auto A = spec.counted ? spec.counted(o) : make_identity();
  require_memory(task, picture, *A, o, engine);
}

/// The first of several fits finds the moment to end. The others end there: nothing need be hidden
/// from them for that, and they need not go on to see that it is past. Stages are as long as the
/// fit.
RestoreOptions of_run(const RestoreOptions& options, int run, int moment) {
  RestoreOptions own = options;
  own.seed = *options.seed + run;
  if (run > 0 && own.prior == FitPrior::dip) {
    own.stop = StopRule::none;
    own.iterations = moment + 1;
  }
  return own;
}

/// 1 where a or b is; either may be empty.
Tensor either(const Tensor& a, const Tensor& b) {
  if (a.empty()) return b;
  Tensor both = a;
  for (std::size_t i = 0; i < b.count(); ++i) both.data()[i] = std::max(a.data()[i], b.data()[i]);
  return both;
}

/// All that is drawn from the seed of one run.
struct Draw {
  /// also_hidden: from the fit, beside what its stopper hides; may be empty.
  Draw(Task task, const Plan& plan, const RestoreOptions& own, const Tensor& also_hidden = {})
      : stopping(make_stopping(task, plan, own)),
        x_shape{1, plan.input.channels(), plan.input.height(), plan.input.width()},
        start(problem_options(own)),
        how(fit_options(own)) {
    start.picture = input_picture(task, plan, own);
    start.hidden = either(stopping.hidden.from_fit, also_hidden);
    start.keep_input = stopping.probes;
    if (stopping.targets) stopping.targets->hide(start.hidden);
    if (own.prior == FitPrior::self_diffusion)
      diffusion = make_self_diffusion(start, x_shape, stage_options(own));
    how.stages = diffusion ? diffusion.get() : stopping.targets.get();
    if (how.stages) how.stages->ask(start);
    problem = make_problem(plan.y, x_shape, *plan.A, start);
    for (const auto& [name, stopper] : stopping.watchers)
      how.watchers.push_back({name, stopper.get()});
  }

  Stopping stopping;
  Shape x_shape;
  ProblemOptions start;
  std::unique_ptr<Stages> diffusion;
  FitOptions how;
  Problem problem;
};

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

}  // namespace

ProblemOptions problem_options(const RestoreOptions& o) {
  ProblemOptions problem;
  problem.network = network_options(o);
  problem.input = o.input.value();
  problem.input_channels = o.input_channels.value();
  problem.optimise = o.optimise.value();
  problem.reg_noise_std = static_cast<float>(o.reg_noise_std.value());
  problem.loss = o.loss.value();
  problem.tv_weight = static_cast<float>(o.tv_weight.value());
  problem.seed = static_cast<std::uint64_t>(o.seed.value());
  return problem;
}

FitOptions fit_options(const RestoreOptions& o) {
  FitOptions fit;
  fit.iterations = o.iterations.value();
  fit.adam.lr = static_cast<float>(o.lr.value());
  fit.seed = static_cast<std::uint64_t>(o.seed.value());
  fit.threads = o.threads.value();
  fit.precision = o.precision.value_or(Precision::tf32);
  fit.average = o.average.value() ? static_cast<float>(o.average_decay.value()) : 0.f;
  fit.keep = o.keep.value();
  fit.rollback_db = static_cast<float>(o.rollback.value());
  return fit;
}

void require_memory(Task task, const Shape& picture, const Operator& A,
                    const RestoreOptions& resolved, const Engine& engine) {
  const double limit = resolved.max_memory.value_or(0) * 0x1p30;
  require_memory(to_string(task), static_cast<std::size_t>(limit), picture, A,
                 problem_options(resolved), fit_options(resolved), engine);
}

namespace {

/// Fits once or as often as --runs says. Under --method auto all fits miss what the first hides, so
/// that their mean has not seen it either.
FitResult fit_all(Task task, const Plan& plan, Engine& engine, std::optional<Draw>& draw,
                  const RestoreOptions& options, const RestoreContext& context) {
  const Tensor hidden =
      options.method == Method::automatic ? draw->stopping.hidden.from_fit : Tensor();
  const Tensor reference = context.reference ? to_tensor(*context.reference) : Tensor();
  const FitRun fit_run = [&](int run, int moment, const auto& on_iteration,
                             std::string_view resume) {
    if (run > 0) {
      draw.reset();  // two of them would take twice the memory
      draw.emplace(task, plan, of_run(options, run, moment), hidden);
    }
    FitOptions how = draw->how;
    how.resume = resume;
    how.weights = run == 0 ? context.weights : nullptr;
    how.return_state = context.return_weights;
    return fit(draw->problem, engine, how, *draw->stopping.stopper,
               context.reference ? &reference : nullptr, on_iteration, context.cancel);
  };
  return fit_runs(*options.runs, fit_run, reporter(plan, context), context.resume);
}

void compare_with(const Image& reference, const Plan& plan, Restored& result) {
  result.psnr = psnr(result.image, reference);
  result.ssim = ssim(result.image, reference);
  result.psnr_input = psnr(plan.input, reference);
  result.ssim_input = ssim(plan.input, reference);
  for (Candidate& candidate : result.candidates) candidate.psnr = psnr(candidate.image, reference);
}

}  // namespace

namespace {

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
  if (fits) require_memory_for(task, observed, options, *engine);
  const Plan plan = make_plan(task, observed, mask, options);
  if (context.reference) check_reference(task, observed, plan, *context.reference);
  result.noise = plan.noise;
  result.values = plan.counts;
  result.engine = engine->info();

  std::optional<Draw> draw;
  if (fits) {
    draw.emplace(task, plan, options);
    result.network = network_options(options);
    result.params = draw->problem.graph.param_count();
    result.macs = count_macs(draw->problem.graph);
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
    // Made anew for who looks: the problem keeps its own within the graph.
    const Tensor z = context.on_scene ? make_input(draw->x_shape, draw->start) : Tensor();
    const Tensor y = context.on_scene ? plan.A->known_part(plan.y) : Tensor();
    if (context.on_scene) context.on_scene({plan.input, z, *plan.A, y});

    const Hidden hidden = draw->stopping.hidden;
    try {
      result.fit = fit_all(task, plan, *engine, draw, options, context);
    } catch (const Error& error) {
      if (!blend || error.code() != ErrorCode::cancelled) throw;
      result.fit.stopped_by = StoppedBy::cancelled;  // the filter's result is there
    }
    result.weights = std::move(result.fit.state.params);
    result.fit.state = {};
    draw.reset();
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
