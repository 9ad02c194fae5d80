#include <algorithm>

#include "tasks/fitted_tiles.h"
#include "tasks/task.h"
#include "tasks/values.h"

namespace unmar {
namespace {

/// Strong noise wants a stronger jitter of the input, which smooths more.
double jitter(const RestoreOptions& given) {
  return given.sigma.value_or(25) >= 50 ? 1. / 20 : 1. / 30;
}

void paper_denoise(RestoreOptions& o, const RestoreOptions& given) {
  o.iterations = 3000;
  o.reg_noise_std = jitter(given);
}

void quick_denoise(RestoreOptions& o, const RestoreOptions&) {
  o.scales = 4;
  o.iterations = 1500;
  o.reg_noise_std = 1. / 30;
  o.stop = StopRule::automatic;
  o.window = 50;
  o.patience = 120;
  o.min_start = 200;
  o.held_out = 0.05;
}

/// As wide as the paper's.
void best_denoise(RestoreOptions& o, const RestoreOptions& given) {
  o.channels = 128;
  o.reg_noise_std = jitter(given);
}

/// The fit of a small picture is at its best after some 50 iterations; an average over as many is
/// past it (docs/results.md). A large one is fitted in tiles.
///
/// A fit that starts from the filter's result is good at once. Fewer pixels are hidden from it:
/// more would cost the picture more than they help to choose the weights.
RestoreOptions suit_size(const RestoreOptions& given, const RestoreOptions& resolved,
                         const Image& noisy, const Image*) {
  constexpr double kSmall = 48 * 48;  // px
  constexpr double kShort = 0.9;
  constexpr double kEnough = 800, kLeastShare = 0.02;  // hidden values
  RestoreOptions suited = given;
  const double pixels = static_cast<double>(noisy.height()) * noisy.width();
  if (resolved.input == InputKind::filtered && !given.held_out)
    suited.held_out = std::clamp(kEnough / (pixels * noisy.channels()), kLeastShare,
                                 std::max(kLeastShare, *resolved.held_out));
  if (fitted_tiles(Task::denoise, noisy, resolved)) return suited_to_tiles(Task::denoise, suited);
  if (resolved.preset != Preset::paper && !given.average_decay && pixels < kSmall)
    suited.average_decay = kShort;
  return suited;
}

/// 1 where both are; the second may be empty.
Tensor both(Tensor a, const Tensor& b) {
  for (std::size_t i = 0; i < b.count(); ++i) a.data()[i] = std::min(a.data()[i], b.data()[i]);
  return a;
}

Plan plan_denoise(const Image& noisy, const Image*, const RestoreOptions& resolved) {
  Plan plan;
  Tensor known = take_values(plan, noisy);
  paste_kept(plan, noisy);
  if (resolved.method != Method::dip) {
    plan.noise = noise_of(plan.y, resolved);
    // Salt and pepper tell nothing: to the fit they are holes.
    if (plan.noise->impulses > 0) known = both(known_of_impulses(plan.y), known);
  }
  plan.A = known.empty() ? make_identity() : make_mask(std::move(known));
  plan.tiles = fitted_tiles(Task::denoise, noisy, resolved);
  return plan;
}

}  // namespace

TaskSpec denoise_task() {
  return {
      .task = Task::denoise,
      .info =
          {.name = "denoise",
           .summary = "Remove noise from a picture",
           .details =
               "A filter that combines similar patches has a first result soon (256x256 on two "
               "cores: 2 s).\nThen a network is fitted to the noisy picture alone, tile by tile; "
               "it learns the picture sooner\nthan the noise, and each fit ends in between (15 s; "
               "--preset best: 20 minutes). The result\nis the blend of both that pixels hidden "
               "from them speak for. If you stop it, the filter's result\nis written.",
           .examples =
               "  unmar denoise noisy.png -o clean.png\n"
               "  unmar denoise noisy.png -o clean.png --method patches\n"
               "  unmar denoise noisy.png -o clean.png --sigma 50 --preset paper\n"
               "  unmar denoise noisy.tif -o clean.tif --iterations 800 --seed 7 --manifest "
               "run.json\n"
               "  unmar denoise dark.png -o clean.png --guide flash.png --input guide "
               "--reg-noise-std 0",
           .refines = true},
      .quick = quick_denoise,
      .best = best_denoise,
      .paper = paper_denoise,
      .method = Method::automatic,
      .suit = suit_size,
      .plan = plan_denoise,
      .only_noise = true,
      .error = error_of_noise,
  };
}

NoiseModel noise_of(const Tensor& y, const RestoreOptions& o) {
  if (o.noise_model) return *o.noise_model;
  NoiseOptions known;
  known.kind = o.noise;
  if (o.sigma) known.sigma = *o.sigma / 255;
  return estimate_noise(y, known);
}

Restored denoise(const Image& noisy, const RestoreOptions& options, const RestoreContext& context) {
  return restore(Task::denoise, noisy, nullptr, options, context);
}

}  // namespace unmar
