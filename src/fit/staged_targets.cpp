#include <algorithm>
#include <cmath>
#include <vector>

#include "base/fail.h"
#include "fit/stage_options.h"
#include "unmar/base/random.h"

namespace unmar {

void check_stages(const StageOptions& options, const char* where) {
  if (options.stages < 1 || options.stages > options.iterations)
    fail(ErrorCode::bad_argument,
         "{}: {} stages in {} iterations; give `stages` 1 to {}, or more `iterations`", where,
         options.stages, options.iterations, options.iterations);
  if (!(options.noise >= 0 && std::isfinite(options.noise)))
    fail(ErrorCode::bad_argument, "{}: the noise must be 0 or more, got {}", where, options.noise);
}

int stage_at(const StageOptions& options, int iteration) {
  const auto stage = std::int64_t{iteration} * options.stages / options.iterations;
  return static_cast<int>(std::min<std::int64_t>(stage, options.stages - 1));
}

StagedTargets::StagedTargets(const Operator& A, const Tensor& y, const StageOptions& options)
    : options_(options), known_(A.known_part(y)), seen_(A.known_part(Tensor(y.shape(), 1.f))) {
  check_stages(options, "staged targets");
}

void StagedTargets::hide(const Tensor& hidden) {
  for (std::size_t i = 0; i < hidden.count(); ++i)
    if (hidden.data()[i] > 0.f) known_.data()[i] = seen_.data()[i] = 0.f;
}

void StagedTargets::prepare(int iteration, const Tensor&, const Problem& problem,
                            Program& program) {
  const int stage = stage_of(iteration);
  if (stage == set_) return;
  set_ = stage;
  Tensor target = noise(stage);
  const auto scale = static_cast<float>(sigma(stage));
  for (std::size_t i = 0; i < target.count(); ++i)
    target.data()[i] = known_.data()[i] + scale * seen_.data()[i] * target.data()[i];
  program.set_input(problem.y.value(), target);
}

// The targets come from the seed, so there is nothing to keep.
void StagedTargets::serialize(Archive& archive) {
  if (archive.reading()) set_ = -1;
}

int StagedTargets::stage_of(int iteration) const { return stage_at(options_, iteration); }

bool StagedTargets::ends_stage(int iteration) const {
  return iteration + 1 == options_.iterations || stage_of(iteration + 1) != stage_of(iteration);
}

double StagedTargets::sigma(int stage) const {
  return options_.noise * (options_.stages - 1 - stage) / std::max(1, options_.stages - 1);
}

Tensor StagedTargets::noise(int stage) const {
  Tensor eps(known_.shape());
  Random(options_.seed, fmt::format("staged.{}", stage)).normal(eps.values());
  return eps;
}

}  // namespace unmar
