#include "tasks/fits.h"

#include <algorithm>

#include "base/fail.h"
#include "tasks/fitted_tiles.h"
#include "tasks/generator.h"
#include "tasks/task.h"

namespace unmar {
namespace {

/// The picture that the network starts from, if that is one.
Tensor input_picture(Task task, const Plan& plan, const RestoreOptions& o, const Tensor& filtered) {
  if (o.input == InputKind::filtered && !filtered.empty()) return filtered;
  // What is kept may lie far outside of the range.
  if (o.input == InputKind::observed || o.input == InputKind::filtered)
    return to_tensor(plan.counts.outliers_kept > 0 ? clamped(plan.input) : plan.input);
  if (o.input != InputKind::guide) return {};
  if (!o.guide)
    fail(ErrorCode::bad_argument, "{}: `input` guide needs a picture; give `guide` FILE",
         to_string(task));
  check_guide(task, *o.guide, plan.input.width(), plan.input.height());
  return to_tensor(*o.guide);
}

/// 1 where a or b is; either may be empty.
Tensor either(const Tensor& a, const Tensor& b) {
  if (a.empty()) return b;
  Tensor both = a;
  for (std::size_t i = 0; i < b.count(); ++i) both.data()[i] = std::max(a.data()[i], b.data()[i]);
  return both;
}

constexpr std::int64_t kNextSeed = 1000;  ///< of the next attempt; beyond those of --runs

/// tiles: that the fit goes through; 1: it is of the whole.
std::vector<FitPhase> phases_of(const RestoreOptions& o, int tiles) {
  if (tiles > 1)
    return {{.name = "warm-up",
             .iterations = std::min(kWarmUpIterations, *o.iterations),
             .attempts = kTileAttempts},
            {.name = "tile",
             .fits = tiles,
             .combine = Combine::sum,
             .iterations = *o.iterations,
             .attempts = kTileAttempts}};
  if (o.prior != FitPrior::gan)
    return {{.name = "run", .fits = *o.runs, .iterations = *o.iterations}};
  std::vector<FitPhase> phases = {
      {.name = "start", .fits = *o.starts, .combine = Combine::least, .iterations = *o.iterations}};
  if (*o.weight_iterations > 0)
    phases.push_back({.name = "weights", .iterations = *o.weight_iterations});
  return phases;
}

int most_of(const std::vector<FitPhase>& phases) {
  int most = 0;
  for (const FitPhase& phase : phases) most += phase.fits * phase.iterations;
  return most;
}

/// What a fit of this part of the picture is about. Only for tasks whose A shows or hides values.
Plan part_of(const Plan& plan, const Rect& rect) {
  Plan part;
  part.y = crop(plan.y, rect);
  part.input = crop(plan.input, rect.y, rect.x, rect.height, rect.width);
  part.counts = plan.counts;
  part.noise = plan.noise;
  Tensor known = crop(plan.A->known_part(Tensor(plan.y.shape(), 1.f)), rect);
  const bool all = std::ranges::all_of(known.values(), [](float v) { return v >= 1.f; });
  part.A = all ? make_identity() : make_mask(std::move(known));
  return part;
}

}  // namespace

Draw::Draw(Task task, const Plan& plan, const RestoreOptions& own, const Tensor& also_hidden,
           const Hidden* drawn, int latent, const Tensor& filtered)
    : stopping(make_stopping(task, plan, own, drawn)),
      x_shape{1, plan.input.channels(), plan.input.height(), plan.input.width()},
      start(problem_options(own)),
      how(fit_options(own)) {
  if (own.prior == FitPrior::gan)
    start.own_input = latent_of(own.gan->gan, start.seed, latent, 1);
  else
    start.picture = input_picture(task, plan, own, filtered);
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

Fits::Fits(Task task, const Plan& plan, const RestoreOptions& resolved, int attempts)
    : task_(task),
      plan_(plan),
      options_(resolved),
      phases_(phases_of(resolved, plan.tiles ? plan.tiles->count() : 1)) {
  for (FitPhase& phase : phases_) phase.attempts = std::max(phase.attempts, attempts);
  // What judges the last phase is hidden from those before; tiles share what is hidden.
  const bool hides_first = resolved.prior == FitPrior::gan || plan.tiles;
  if (hides_first) hidden_ = make_stopping(task, plan, resolved).hidden;
  draw({});
  if (!hides_first) hidden_ = draw_->stopping.hidden;
}

/// Of several runs the first finds the moment to end. The others end there: nothing need be hidden
/// from them for that, and they need not go on to see that it is past. Stages are as long as the
/// fit.
RestoreOptions Fits::options_of(const FitPart& part) const {
  RestoreOptions own = options_;
  own.seed = *own.seed + part.attempt * kNextSeed;
  if (own.prior == FitPrior::gan) {
    const bool latent = part.phase == 0;
    own.optimise = latent ? Optimise::input : Optimise::weights_and_input;
    if (latent && phases_.size() > 1) own.stop = StopRule::none;
    if (!latent) own.lr = own.weight_lr, own.iterations = own.weight_iterations;
    return own;
  }
  if (plan_.tiles) {
    if (part.phase > 0) return own;
    own.stop = StopRule::none;
    own.watch = std::nullopt;
    own.iterations = phases_[0].iterations;
    return own;
  }
  own.seed = *own.seed + part.fit;
  if (part.fit > 0 && own.prior == FitPrior::dip) {
    own.stop = StopRule::none;
    own.iterations = part.moment + 1;
  }
  return own;
}

/// A network's next attempt does not start from what the one before diverged from.
const std::vector<Tensor>* Fits::weights_of(const FitPart& part,
                                            const std::vector<Tensor>* given) const {
  if (part.attempt > 0 && options_.prior != FitPrior::gan) return nullptr;
  if (part.phase > 0) return part.weights;
  return part.fit == 0 ? given : nullptr;
}

/// The weights that all tiles start from are those of the one in the middle.
int Fits::tile_of(const FitPart& part) const {
  return part.phase > 0 ? part.fit : plan_.tiles->middle();
}

void Fits::draw(const FitPart& part) {
  draw_.reset();
  if (plan_.tiles) {
    const Rect rect = plan_.tiles->tile(tile_of(part));
    const Hidden hidden{crop(hidden_.from_fit, rect), crop(hidden_.compared, rect)};
    tile_ = part_of(plan_, rect);
    draw_ = std::make_unique<Draw>(task_, *tile_, options_of(part), hidden.from_fit, &hidden, 0,
                                   crop(filtered_, rect));
    return;
  }
  // Of blended fits the mean, too, must not have seen what the first hides.
  const bool all_hide = options_.method == Method::automatic || options_.prior == FitPrior::gan;
  draw_ =
      std::make_unique<Draw>(task_, plan_, options_of(part), all_hide ? hidden_.from_fit : Tensor(),
                             part.attempt > 0 ? &hidden_ : nullptr, part.fit, filtered_);
}

void Fits::start_from(Tensor filtered) {
  filtered_ = std::move(filtered);
  draw({});
}

FitResult Fits::fit_tile(Engine& engine, const FitPart& part, const FitOptions& how,
                         const RestoreContext& context, const Tensor& around,
                         const OnIteration& on_iteration) const {
  const int tile = tile_of(part);
  const Tensor reference =
      context.reference ? crop(to_tensor(*context.reference), plan_.tiles->tile(tile)) : Tensor();
  Canvas iterate(*plan_.tiles, tile, around, part.sum), average = iterate;
  const auto on_tile = [&](const FitProgress& progress) {
    on_iteration(on_whole(progress, iterate, average));
  };
  FitResult result = fit(draw_->problem, engine, how, *draw_->stopping.stopper,
                         context.reference ? &reference : nullptr, on_tile, context.cancel);
  result.best = part.phase > 0 ? iterate.share_of(result.best) : iterate.with(result.best);
  result.last = {};
  return result;
}

FitResult Fits::run(Engine& engine, const RestoreContext& context, const OnIteration& on_iteration,
                    const Tensor& around) {
  const Tensor reference = context.reference ? to_tensor(*context.reference) : Tensor();
  const auto fit_part = [&](const FitPart& part, const auto& on_part_iteration,
                            std::string_view resume) {
    if (part.phase > 0 || part.fit > 0 || part.attempt > 0) draw(part);
    FitOptions how = draw_->how;
    how.resume = resume;
    how.weights = weights_of(part, context.weights);
    how.return_state = part.return_state || context.return_weights;
    if (plan_.tiles) return fit_tile(engine, part, how, context, around, on_part_iteration);
    return fit(draw_->problem, engine, how, *draw_->stopping.stopper,
               context.reference ? &reference : nullptr, on_part_iteration, context.cancel);
  };
  return fit_phases(phases_, fit_part, on_iteration, context.resume);
}

void check_guide(Task task, const Image& guide, int width, int height) {
  if (guide.width() == width && guide.height() == height) return;
  fail(ErrorCode::bad_input, "{}: the guide is {}x{} px but the result will be {}x{} px; crop it",
       to_string(task), guide.width(), guide.height(), width, height);
}

int most_iterations(const RestoreOptions& resolved) { return most_of(phases_of(resolved, 1)); }

int most_iterations(Task task, const Image& observed, const Image* mask,
                    const RestoreOptions& given) {
  constexpr double kLarge = 1e6;  // px; the noise of a large picture takes memory and time to find
  RestoreOptions resolved = resolve_for(task, observed, mask, given);
  const auto tiles = fitted_tiles(task, observed, resolved);
  if (resolved.input == InputKind::filtered &&
      static_cast<double>(observed.height()) * observed.width() <= kLarge) {
    const Plan plan = make_plan(task, observed, mask, resolved);
    suit_noise(given, *plan.noise, is_brief(given, plan, resolved), resolved);
  }
  return most_of(phases_of(resolved, tiles ? tiles->count() : 1));
}

ProblemOptions problem_options(const RestoreOptions& o) {
  ProblemOptions problem;
  if (o.prior != FitPrior::gan) {
    problem.network = network_options(o);
    problem.input = o.input.value();
    problem.input_channels = o.input_channels.value();
  }
  problem.optimise = o.optimise.value();
  problem.reg_noise_std = static_cast<float>(o.reg_noise_std.value());
  problem.loss = o.loss.value();
  problem.tv_weight = static_cast<float>(o.tv_weight.value());
  problem.seed = static_cast<std::uint64_t>(o.seed.value());
  if (o.prior == FitPrior::gan) take_generator(problem, o.gan);
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

}  // namespace unmar
