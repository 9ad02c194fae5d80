#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "error_text.h"
#include "support.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace guides_test {

using namespace diffusion_test;
using test::error_text;
using testing::HasSubstr;

constexpr Shape kShape{1, 3, 16, 16};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

NoisePredictor some_model() {
  return [](const Tensor& x, int) { return scaled(x, 0.8); };
}

SampleOptions ten_steps() { return {.timesteps = spaced_timesteps(1000, 10, Spacing::trailing)}; }

Tensor half_mask() {
  Tensor mask({1, 1, 16, 16});
  for (std::size_t i = 0; i < mask.count(); i += 2) mask.data()[i] = 1.f;
  return mask;
}

Tensor start() {
  Tensor x(kShape);
  gaussian_source(1, "start")(x.values());
  return x;
}

TEST(Ddnm, ends_at_a_picture_that_explains_the_observation) {
  const Tensor clean = uniform(kShape, "clean", 0.f, 1.f);
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(make_mask(half_mask()));
  operators.push_back(make_reduction(ReduceKernel::box, 4));
  operators.push_back(make_reduction(ReduceKernel::lanczos3, 2));
  for (const auto& A : operators) {
    const Tensor y = observation_for_model(*A, kShape, apply(*A, clean));
    for (const char* name : {"ddpm", "ddim", "dpm++"}) {
      const auto ddnm = make_ddnm(*A, y);
      const Tensor x = sample(some_model(), NoiseSchedule(), *make_sampler(name, 0.85), start(),
                              ten_steps(), ddnm.get());
      EXPECT_LE(largest_difference(apply(*A, x), y), 1e-5) << A->describe() << " " << name;
      const Tensor free =
          sample(some_model(), NoiseSchedule(), *make_sampler(name, 0.85), start(), ten_steps());
      EXPECT_GT(largest_difference(apply(*A, free), y), 0.1) << A->describe() << " " << name;
    }
  }
}

TEST(Ddnm, leaves_what_the_operator_does_not_see_as_it_was) {
  const auto A = make_mask(half_mask());
  const StepWeights weights{};
  const Step step{};
  Tensor x0 = uniform(kShape, "x0");
  const Tensor before = x0;
  make_ddnm(*A, Tensor(kShape))->correct_x0({step, weights, Prediction::epsilon, x0, x0}, x0);
  for (std::size_t i = 0; i < x0.count(); ++i)
    EXPECT_NEAR(x0.data()[i], i % 2 == 0 ? 0.f : before.data()[i], i % 2 == 0 ? 2.4e-7 : 0) << i;
}

TEST(Ddnm, adds_no_more_noise_of_the_observation_than_the_sampler_would) {
  const auto A = make_identity();
  const Step step{};
  const Tensor y(kShape, 1.f);
  const auto corrected = [&](double noise, double& brought) {
    const StepWeights weights{.x0 = 0.5, .noise = noise};
    Tensor x0(kShape);
    brought = make_ddnm(*A, y, 0.4)->correct_x0({step, weights, Prediction::epsilon, x0, x0}, x0);
    return static_cast<double>(x0.data()[0]);
  };
  double brought = 0;
  EXPECT_NEAR(corrected(0.3, brought), 1, 1e-6);  // 0.5 * 0.4 lies below
  EXPECT_NEAR(brought, 0.04, 1e-9);
  EXPECT_NEAR(corrected(0.1, brought), 0.5, 1e-6);
  EXPECT_NEAR(brought, 0.01, 1e-9);
  EXPECT_EQ(corrected(0, brought), 0);
  EXPECT_EQ(brought, 0);
}

TEST(Repaint, known_pixels_end_as_they_are_and_missing_ones_may_hold_anything) {
  Tensor known = uniform(kShape, "known");
  for (std::size_t i = 1; i < known.count(); i += 2) known.data()[i] = kNan;
  const auto repaint = make_repaint(known, half_mask());
  SampleOptions options = ten_steps();
  options.travel_length = options.travel_repeats = 2;
  const Tensor x =
      sample(some_model(), NoiseSchedule(), *make_ddpm(), start(), options, repaint.get());
  for (std::size_t i = 0; i < x.count(); i += 2) {
    EXPECT_EQ(x.data()[i], known.data()[i]) << i;
    EXPECT_TRUE(std::isfinite(x.data()[i + 1])) << i;
  }
}

TEST(Repaint, known_pixels_are_as_noisy_as_the_rest_on_the_way) {
  const Shape shape{1, 1, 128, 128};
  const auto repaint = make_repaint(Tensor(shape, 0.5f), Tensor({1, 1, 128, 128}, 1.f));
  const Step step{.t = 500, .alpha_bar = 0.2, .alpha_bar_next = 0.36};
  const StepWeights weights{};
  Tensor next(shape, 7.f);
  repaint->correct_next({step, weights, Prediction::epsilon, next, next}, next, next,
                        gaussian_source(0, "test"));
  double sum = 0, squares = 0;
  for (const float v : next.values()) {
    sum += static_cast<double>(v);
    squares += static_cast<double>(v) * static_cast<double>(v);
  }
  const double count = static_cast<double>(next.count()), mean = sum / count;
  EXPECT_NEAR(mean, 0.5 * 0.6, 5 * 0.8 / std::sqrt(count));
  EXPECT_NEAR(squares / count - mean * mean, 0.64, 5 * 0.64 * std::sqrt(2 / count));
}

TEST(Repaint, refuses_a_mask_that_does_not_fit) {
  EXPECT_THAT(error_text([] {
                make_repaint(Tensor(kShape), Tensor({1, 2, 16, 16}));
              }),
              HasSubstr("mask [1,2,16,16] does not fit the picture [1,3,16,16]"));
  EXPECT_THAT(error_text([] {
                make_repaint(Tensor(kShape), Tensor({1, 1, 16, 16}, 2.f));
              }),
              HasSubstr("in [0,1], got 2"));
}

/// epsilon_i = 0.5 sin(x_i + x_(i+1)), and what its derivative's transpose makes of u.
Tensor coupled(const Tensor& x, int) {
  Tensor e(x.shape());
  for (std::size_t i = 0; i < x.count(); ++i)
    e.data()[i] = 0.5f * std::sin(x.data()[i] + x.data()[(i + 1) % x.count()]);
  return e;
}
Tensor coupled_gradient(const Tensor& x, int, const Tensor& u) {
  Tensor g(x.shape());
  for (std::size_t i = 0; i < x.count(); ++i) {
    const std::size_t next = (i + 1) % x.count();
    const float slope = 0.5f * std::cos(x.data()[i] + x.data()[next]) * u.data()[i];
    g.data()[i] += slope;
    g.data()[next] += slope;
  }
  return g;
}

TEST(Dps, goes_down_the_gradient_of_the_residual) {
  const Shape shape{1, 1, 4, 4};
  const auto A = make_reduction(ReduceKernel::box, 2);
  const Tensor y = uniform({1, 1, 2, 2}, "y");
  const Step step{.t = 500, .alpha_bar = 0.6, .alpha_bar_next = 0.7};
  const StepWeights weights{};
  for (const Prediction prediction : {Prediction::epsilon, Prediction::sample, Prediction::v}) {
    const auto estimate = [&](const Tensor& x) {
      const Mix mix = mix_for_x0(prediction, step.alpha_bar);
      const Tensor output = coupled(x, step.t);
      Tensor x0(x.shape());
      for (std::size_t i = 0; i < x.count(); ++i)
        x0.data()[i] =
            std::clamp(static_cast<float>(mix.x * static_cast<double>(x.data()[i]) +
                                          mix.output * static_cast<double>(output.data()[i])),
                       -1.f, 1.f);
      return x0;
    };
    const auto distance = [&](const Tensor& x) {
      const Tensor of_x = apply(*A, estimate(x));
      double sum = 0;
      for (std::size_t i = 0; i < y.count(); ++i)
        sum += std::pow(static_cast<double>(y.data()[i] - of_x.data()[i]), 2);
      return std::sqrt(sum);
    };
    Tensor x = uniform(shape, "x", -0.6f, 0.6f);
    x.data()[5] = 4.f;  // clipped, unless the output is x0
    Tensor next(shape);
    make_dps(*A, y, coupled_gradient, 2)
        ->correct_next({step, weights, prediction, x, coupled(x, step.t)}, estimate(x), next,
                       gaussian_source(0, "unused"));
    for (std::size_t i = 0; i < x.count(); ++i) {
      constexpr float kDelta = 1e-2f;
      Tensor up = x, down = x;
      up.data()[i] += kDelta;
      down.data()[i] -= kDelta;
      const double slope = (distance(up) - distance(down)) / static_cast<double>(2 * kDelta);
      EXPECT_NEAR(static_cast<double>(next.data()[i]), -2 * slope, 1e-3) << i;
    }
  }
}

TEST(Guides, name_the_shapes_that_do_not_fit) {
  const auto A = make_reduction(ReduceKernel::box, 2);
  EXPECT_THAT(error_text([&] { observation_for_model(*A, kShape, Tensor(kShape)); }),
              HasSubstr("gives [1,3,8,8], got [1,3,16,16]"));
  const auto ddnm = make_ddnm(*A, Tensor(kShape));
  EXPECT_THAT(error_text([&] {
                sample(some_model(), NoiseSchedule(), *make_ddim(), start(), ten_steps(),
                       ddnm.get());
              }),
              HasSubstr("gives [1,3,8,8], the observation is [1,3,16,16]"));
  EXPECT_THAT(error_text([&] { make_dps(*A, Tensor(kShape), {}); }), HasSubstr("no gradient"));
}

}  // namespace guides_test
}  // namespace unmar
