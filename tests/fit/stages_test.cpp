#include "unmar/fit/stages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "fit/fake_engine.h"
#include "unmar/base/random.h"

namespace unmar {
namespace stages_test {

using test::error_text;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Shape kShape{1, 1, 64, 64};

Tensor smooth() {
  Tensor t(kShape);
  for (int y = 0; y < kShape.h; ++y)
    for (int x = 0; x < kShape.w; ++x)
      t.at(0, 0, y, x) = 0.5f + 0.3f * std::sin(0.1f * static_cast<float>(x + 2 * y));
  return t;
}

Tensor plus(Tensor a, double scale, const Tensor& b) {
  for (std::size_t i = 0; i < a.count(); ++i)
    a.data()[i] += static_cast<float>(scale) * b.data()[i];
  return a;
}

Tensor gaussian(std::string_view name) {
  Tensor t(kShape);
  Random(3, name).normal(t.values());
  return t;
}

double mean_square(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    sum += std::pow(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]), 2);
  return sum / static_cast<double>(a.count());
}

/// What a fit of eight iterations in four stages sets, with pictures of 0.1 times the iteration.
Log fit_in_stages(Stages& stages, bool of_z) {
  FakeEngine engine({.picture = kShape, .pixel = [](int i) { return 0.1f * i; }});
  Problem problem = fake_problem(kShape);
  (of_z ? problem.z : problem.y) = problem.graph.add(Input{kShape}, {}, "set");
  const auto stopper = make_fixed_count();
  fit(problem, engine, {.iterations = 8, .rollback_db = 0, .stages = &stages}, *stopper);
  return engine.log;
}

const StageOptions kFour{.stages = 4, .iterations = 8, .noise = 1, .seed = 3};

ProblemOptions own_picture() {
  ProblemOptions problem;
  problem.input = InputKind::observed;
  problem.own_network = [](Graph&, NodeId z, const Shape&) { return z; };
  return problem;
}

TEST(SelfDiffusion, starts_each_stage_from_its_own_picture_with_less_noise) {
  const auto stages = make_self_diffusion(own_picture(), kShape, kFour);
  const Log log = fit_in_stages(*stages, true);
  EXPECT_THAT(log.steps_before, ElementsAre(0, 2, 4, 6));
  const double tolerance = 0.1;  // of 4096 draws: 9 standard deviations
  EXPECT_NEAR(mean_square(log.inputs[0], Tensor(kShape)), 2, 2 * tolerance);
  for (const int stage : {1, 2, 3}) {
    const double sigma = 1 - 0.25 * stage;
    const Tensor picture(kShape, 0.1f * static_cast<float>(2 * stage - 1));
    EXPECT_NEAR(mean_square(log.inputs[static_cast<std::size_t>(stage)], picture), sigma * sigma,
                sigma * sigma * tolerance);
  }
}

TEST(SelfDiffusion, refuses_an_input_that_is_not_a_picture) {
  ProblemOptions uniform;
  EXPECT_THAT(error_text([&] { make_self_diffusion(uniform, kShape, kFour); }),
              HasSubstr("`input` observed"));
}

TEST(StagedTargets, have_ever_less_noise_and_in_the_end_none) {
  const Tensor y = smooth();
  StagedTargets stages(*make_identity(), y, kFour);
  const Log log = fit_in_stages(stages, false);
  EXPECT_THAT(log.steps_before, ElementsAre(0, 2, 4, 6));
  for (const int stage : {0, 1, 2}) {
    const Tensor& target = log.inputs[static_cast<std::size_t>(stage)];
    EXPECT_NEAR(mean_square(target, plus(y, stages.sigma(stage), stages.noise(stage))), 0, 1e-12);
    EXPECT_NEAR(stages.sigma(stage), 1 - stage / 3., 1e-9);
  }
  EXPECT_EQ(mean_square(log.inputs[3], y), 0);
  EXPECT_GT(mean_square(stages.noise(0), stages.noise(1)), 1);
}

TEST(StagedTargets, leave_alone_what_is_missing_or_hidden) {
  Tensor mask(kShape, 1.f), hidden(kShape);
  mask.at(0, 0, 1, 1) = 0.f;
  hidden.at(0, 0, 2, 2) = 1.f;
  StagedTargets stages(*make_mask(mask), smooth(), kFour);
  stages.hide(hidden);
  const Log log = fit_in_stages(stages, false);
  for (const Tensor& target : log.inputs) {
    EXPECT_EQ(target.at(0, 0, 1, 1), 0.f);
    EXPECT_EQ(target.at(0, 0, 2, 2), 0.f);
    EXPECT_NE(target.at(0, 0, 3, 3), 0.f);
  }
}

TEST(StageRisk, is_the_error_against_a_picture_that_it_never_sees) {
  const Tensor clean = smooth(), n = gaussian("n");
  constexpr double kSigma = 0.2;
  const Tensor y = plus(clean, kSigma, n);
  const StageOptions six{.stages = 6, .iterations = 12, .noise = 0.5, .seed = 3};
  const StagedTargets stages(*make_identity(), y, six);
  const auto stopper = make_stage_risk(stages, y, kSigma, 2);
  // Ever sharper, and with ever more of the noise of y and of the stage.
  const double blur[] = {0.5, 0.2, 0.1, 0.02, 0, 0}, share[] = {0, 0.1, 0.2, 0.4, 0.6, 0.8};
  int best = -1, stopped = -1;
  for (int i = 0; i < 12 && stopped < 0; ++i) {
    const auto s = static_cast<std::size_t>(stages.stage_of(i));
    Tensor x = plus(clean, -blur[s], clean);
    x = plus(x, share[s] * kSigma, n);
    x = plus(x, share[s] * stages.sigma(static_cast<int>(s)), stages.noise(static_cast<int>(s)));
    const auto verdict = stopper->observe({i, 0.f, x, x});
    if (verdict.new_best) best = i;
    if (verdict.stop) stopped = i;
    if (stages.ends_stage(i))
      EXPECT_NEAR(stopper->signal().value(), mean_square(x, clean), 0.15 * kSigma * kSigma) << s;
    else
      EXPECT_FALSE(verdict.new_best);
  }
  EXPECT_EQ(best, 5);     // stage 2
  EXPECT_EQ(stopped, 9);  // two stages later
}

TEST(Stages, refuse_numbers_that_make_no_sense) {
  const auto error = [](StageOptions options) {
    return error_text([&] { StagedTargets(*make_identity(), smooth(), options); });
  };
  EXPECT_THAT(error({.stages = 0}), HasSubstr("0 stages"));
  EXPECT_THAT(error({.stages = 9, .iterations = 8}), HasSubstr("9 stages in 8 iterations"));
  EXPECT_THAT(error({.noise = -1}), HasSubstr("got -1"));
}

}  // namespace stages_test
}  // namespace unmar
