#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.h"
#include "torch_randn.h"
#include "unmar/diffusion/diffusion.h"

/// The numbers that the scheduler tests of the Python library diffusers assert, reproduced: same
/// picture, same stand-in for a model, same chains.
namespace unmar {
namespace samplers_golden_test {

using namespace diffusion_test;
using testing::ElementsAre;

constexpr Shape kShape{4, 3, 8, 8};
constexpr double kCount = 768;
// What those tests allow.
constexpr double kSumTolerance = 1e-2, kMeanTolerance = 1e-3, kVarianceTolerance = 1e-5;
// Formulas in double worked out apart from this code, states rounded to float once a step.
constexpr double kExact = 1e-3;

/// i / 768 laid out as [c][h][w][n]; `backwards`: (767 - i) / 768.
Tensor ramp(bool backwards = false) {
  Tensor t(kShape);
  int i = 0;
  for (int c = 0; c < kShape.c; ++c)
    for (int y = 0; y < kShape.h; ++y)
      for (int x = 0; x < kShape.w; ++x)
        for (int n = 0; n < kShape.n; ++n, ++i)
          t.at(n, c, y, x) = static_cast<float>((backwards ? kCount - 1 - i : i) / kCount);
  return t;
}

Tensor stand_in(const Tensor& x, int t) { return scaled(x, t / (t + 1.)); }

struct Result {
  double sum, mean;
};
Result run(const NoiseSchedule& schedule, const Sampler& sampler, SampleOptions options,
           Tensor start = ramp()) {
  const double sum =
      sum_of_magnitudes(sample(stand_in, schedule, sampler, std::move(start), options));
  return {sum, sum / kCount};
}

TEST(SamplersGolden, ddim_with_ten_steps) {
  SampleOptions options{.timesteps = spaced_timesteps(1000, 10, Spacing::leading)};
  const auto [sum, mean] = run(NoiseSchedule(), *make_ddim(), options);
  EXPECT_NEAR(sum, 172.0067, kSumTolerance);
  EXPECT_NEAR(mean, 0.223967, kMeanTolerance);
  EXPECT_NEAR(sum, 172.00652, kExact);
}

TEST(SamplersGolden, ddim_ends_without_noise_or_as_noisy_as_the_first_timestep) {
  const NoiseSchedule schedule({.beta_start = 0.01});
  SampleOptions options{.timesteps = spaced_timesteps(1000, 10, Spacing::leading)};
  EXPECT_NEAR(run(schedule, *make_ddim(), options).sum, 149.8295, kSumTolerance);
  EXPECT_NEAR(run(schedule, *make_ddim(), options).sum, 149.82946, kExact);
  options.end_without_noise = false;
  EXPECT_NEAR(run(schedule, *make_ddim(), options).sum, 149.0784, kSumTolerance);
  EXPECT_NEAR(run(schedule, *make_ddim(), options).sum, 149.07843, kExact);
}

TEST(SamplersGolden, ddim_entered_with_a_noised_picture) {
  const NoiseSchedule schedule;
  const auto all = spaced_timesteps(1000, 10, Spacing::leading);
  SampleOptions options{.timesteps = {all.begin() + 8, all.end()}};
  EXPECT_THAT(options.timesteps, ElementsAre(100, 0));
  const auto [sum, mean] =
      run(schedule, *make_ddim(), options, add_noise(schedule, ramp(), ramp(true), 100));
  EXPECT_NEAR(sum, 354.5418, kSumTolerance);
  EXPECT_NEAR(mean, 0.4616, kMeanTolerance);
  EXPECT_NEAR(sum, 354.54150, kExact);
}

TEST(SamplersGolden, ddpm_with_all_thousand_steps_and_the_noise_of_pytorch) {
  SampleOptions options{.timesteps = spaced_timesteps(1000, 1000, Spacing::leading),
                        .gaussian = TorchRandn(0)};
  const auto [sum, mean] = run(NoiseSchedule(), *make_ddpm(), options);
  EXPECT_NEAR(sum, 258.9606, kSumTolerance);
  EXPECT_NEAR(mean, 0.3372, kMeanTolerance);
  EXPECT_NEAR(sum, 258.95906, kExact);
}

TEST(SamplersGolden, dpm_solver_with_ten_steps) {
  // Of eleven evenly spaced timesteps the last, 0, is where the chain ends.
  SampleOptions options{.timesteps = spaced_timesteps(1000, 11, Spacing::linspace),
                        .clip = false,
                        .end_without_noise = false};
  options.timesteps.pop_back();
  EXPECT_THAT(options.timesteps, ElementsAre(999, 899, 799, 699, 599, 500, 400, 300, 200, 100));
  const auto [sum, mean] = run(NoiseSchedule(), *make_dpm_solver(), options);
  EXPECT_NEAR(mean, 0.3301, kMeanTolerance);
  EXPECT_NEAR(sum, 253.5529, kExact);
}

double variance(const Sampler& sampler, int t, int next) {
  const NoiseSchedule schedule;
  const double noise =
      sampler.weights({t, schedule.alpha_bar(t), schedule.alpha_bar(next), next < 0}, nullptr)
          .noise;
  return noise * noise;
}

TEST(SamplersGolden, variance_of_the_fresh_noise) {
  const auto small = make_ddpm(DdpmVariance::fixed_small);
  EXPECT_NEAR(variance(*small, 487, 486), 0.00979, kVarianceTolerance);
  EXPECT_NEAR(variance(*small, 999, 998), 0.02, kVarianceTolerance);
  const auto ddim = make_ddim(1);
  EXPECT_NEAR(variance(*ddim, 420, 400), 0.14771, kVarianceTolerance);
  EXPECT_NEAR(variance(*ddim, 980, 960), 0.32460, kVarianceTolerance);
}

}  // namespace samplers_golden_test
}  // namespace unmar
