#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "error_text.h"
#include "support.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace sample_test {

using namespace diffusion_test;
using test::error_text;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Shape kShape{1, 3, 8, 8};

std::vector<std::unique_ptr<Sampler>> all_samplers() {
  std::vector<std::unique_ptr<Sampler>> list;
  for (const char* name : {"ddpm", "ddpm-large", "ddim", "dpm++"})
    list.push_back(make_sampler(name, 0.5));
  return list;
}

SampleOptions steps(int count, std::uint64_t seed = 0) {
  return {.timesteps = spaced_timesteps(1000, count, Spacing::trailing), .seed = seed};
}

Tensor gaussian(const Shape& shape, const char* name = "start") {
  Tensor t(shape);
  gaussian_source(1, name)(t.values());
  return t;
}

double deviation(const Tensor& t) {
  double sum = 0;
  for (const float v : t.values()) sum += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(sum / static_cast<double>(t.count()));
}

/// The best guess there is if the pictures are N(0, deviation^2), pixel by pixel.
NoisePredictor model_of_gaussian_pictures(const NoiseSchedule& schedule, double deviation) {
  return [&schedule, deviation](const Tensor& x, int t) {
    const double a2 = schedule.alpha_bar(t);
    return scaled(x, std::sqrt(1 - a2) / (a2 * deviation * deviation + 1 - a2));
  };
}

TEST(Sample, ends_at_the_only_picture_that_the_model_knows) {
  const NoiseSchedule schedule;
  const Tensor picture = uniform(kShape, "picture");
  const NoisePredictor model = [&](const Tensor& x, int t) {
    const Mix mix = mix_for_epsilon(Prediction::sample, schedule.alpha_bar(t));
    Tensor epsilon = scaled(x, mix.x);
    for (std::size_t i = 0; i < x.count(); ++i)
      epsilon.data()[i] += static_cast<float>(mix.output) * picture.data()[i];
    return epsilon;
  };
  for (const auto& sampler : all_samplers())
    for (const int count : {1, 2, 10})
      EXPECT_LE(largest_difference(
                    sample(model, schedule, *sampler, gaussian(kShape), steps(count)), picture),
                1e-4)  // the first timesteps scale float noise up, the last has little of it
          << sampler->name() << " in " << count;
}

// With the coefficients of single steps a chain of 50 would stop far from the data.
TEST(Sample, of_few_steps_comes_near_the_spread_of_the_data_and_nearer_with_more) {
  constexpr double kSpread = 0.25;
  const NoiseSchedule schedule;
  const Shape many{1, 1, 128, 128};  // the deviation of as many is known to 0.6 %
  const NoisePredictor model = model_of_gaussian_pictures(schedule, kSpread);
  for (const char* name : {"ddpm", "ddim", "dpm++"}) {
    const auto error = [&](int count) {
      const auto sampler = make_sampler(name);
      return std::abs(deviation(sample(model, schedule, *sampler, gaussian(many), steps(count))) -
                      kSpread);
    };
    EXPECT_LT(error(50), 0.2 * kSpread) << name;
    EXPECT_LT(error(200), 0.5 * error(50)) << name;
  }
}

TEST(Sample, of_second_order_needs_fewer_steps) {
  constexpr double kSpread = 0.25;
  const NoiseSchedule schedule;
  const NoisePredictor model = model_of_gaussian_pictures(schedule, kSpread);
  const Tensor start = gaussian({1, 1, 32, 32});
  const auto error = [&](const Sampler& sampler, double ratio) {
    SampleOptions options{.clip = false, .end_without_noise = false};
    for (double sigma = schedule.sigma(999); sigma > schedule.sigma(0); sigma *= ratio)
      options.timesteps.push_back(entry_timestep(schedule, sigma, 1));
    const double a = schedule.alpha_bar(0);
    const double expected = std::sqrt(a * kSpread * kSpread + 1 - a) * deviation(start);
    return std::abs(deviation(sample(model, schedule, sampler, start, options)) - expected);
  };
  const auto ddim = make_ddim(), dpm = make_dpm_solver();
  EXPECT_LT(error(*dpm, 0.6), 0.3 * error(*ddim, 0.6));
  EXPECT_LT(error(*dpm, std::sqrt(0.6)), 0.4 * error(*dpm, 0.6));  // half the step: a quarter
}

TEST(Sample, of_all_steps_with_the_large_variance_has_the_spread_of_the_data) {
  const NoiseSchedule schedule;
  const NoisePredictor model = model_of_gaussian_pictures(schedule, 0.25);
  const auto spread = [&](DdpmVariance variance, int count) {
    return deviation(
        sample(model, schedule, *make_ddpm(variance), gaussian({1, 1, 64, 64}), steps(count)));
  };
  EXPECT_NEAR(spread(DdpmVariance::fixed_large, 1000), 0.25, 0.02);
  EXPECT_NEAR(spread(DdpmVariance::fixed_small, 1000), 0.25, 0.02);
}

// In terms of x0 and epsilon, as x = a x0 + s epsilon.
Mix in_terms_of_epsilon(const StepWeights& w, const Step& s) {
  return {w.x0 + w.x * std::sqrt(s.alpha_bar), w.epsilon + w.x * std::sqrt(1 - s.alpha_bar)};
}

TEST(Samplers, ddim_with_eta_1_is_ddpm_and_dpm_solver_begins_as_ddim) {
  const NoiseSchedule schedule;
  for (const auto& [t, next] : {std::pair{999, 900}, {500, 499}, {20, 0}, {7, -1}}) {
    const Step step{t, schedule.alpha_bar(t), schedule.alpha_bar(next), next < 0};
    const auto expect_same = [&](const Sampler& a, const Sampler& b) {
      const StepWeights wa = a.weights(step, nullptr), wb = b.weights(step, nullptr);
      EXPECT_NEAR(in_terms_of_epsilon(wa, step).x, in_terms_of_epsilon(wb, step).x, 1e-9) << t;
      EXPECT_NEAR(in_terms_of_epsilon(wa, step).output, in_terms_of_epsilon(wb, step).output, 1e-9)
          << t;
      EXPECT_NEAR(wa.noise, wb.noise, 1e-9) << t;
    };
    expect_same(*make_ddim(1), *make_ddpm());
    expect_same(*make_dpm_solver(), *make_ddim(0));
  }
}

TEST(Samplers, unknown_name_is_answered_with_the_nearest) {
  EXPECT_THAT(error_text([] { make_sampler("ddmi"); }), HasSubstr("'ddim'"));
  EXPECT_THAT(error_text([] { make_ddim(1.5); }), HasSubstr("eta must be 0 to 1, got 1.5"));
}

TEST(Sample, is_the_same_again_for_the_same_seed_only) {
  const NoiseSchedule schedule;
  const NoisePredictor model = [](const Tensor& x, int) { return scaled(x, 0.9); };
  const auto run = [&](std::uint64_t seed) {
    return sample(model, schedule, *make_ddpm(), gaussian(kShape), steps(5, seed));
  };
  EXPECT_EQ(largest_difference(run(3), run(3)), 0);
  EXPECT_GT(largest_difference(run(3), run(4)), 0.01);
}

TEST(Sample, does_not_depend_on_what_the_model_was_trained_to_give) {
  const NoiseSchedule schedule;
  const NoisePredictor epsilon_model = model_of_gaussian_pictures(schedule, 0.25);
  SampleOptions options = steps(10);
  const Tensor expected = sample(epsilon_model, schedule, *make_ddpm(), gaussian(kShape), options);
  for (const Prediction prediction : {Prediction::sample, Prediction::v}) {
    const NoisePredictor model = [&](const Tensor& x, int t) {
      const double a2 = schedule.alpha_bar(t), a = std::sqrt(a2), s = std::sqrt(1 - a2);
      Tensor output = epsilon_model(x, t);
      for (std::size_t i = 0; i < x.count(); ++i) {
        const double e = static_cast<double>(output.data()[i]);
        const double x0 = (static_cast<double>(x.data()[i]) - s * e) / a;
        output.data()[i] =
            static_cast<float>(prediction == Prediction::sample ? x0 : a * e - s * x0);
      }
      return output;
    };
    options.prediction = prediction;
    EXPECT_LE(largest_difference(sample(model, schedule, *make_ddpm(), gaussian(kShape), options),
                                 expected),
              1e-4);  // rounding of the first estimates is amplified by sqrt(1/abar) = 157
  }
}

TEST(Sample, clips_the_estimates_if_asked_to) {
  const NoisePredictor model = [](const Tensor& x, int) { return Tensor(x.shape(), -3.f); };
  SampleOptions options{.timesteps = {500}};
  const auto run = [&] {
    return sample(model, NoiseSchedule(), *make_ddim(), Tensor({1, 1, 1, 1}), options)
        .at(0, 0, 0, 0);
  };
  EXPECT_EQ(run(), 1.f);
  options.clip = false;
  EXPECT_GT(run(), 9.f);
}

std::vector<int> visited(int count, int length, int repeats) {
  std::vector<int> list;
  SampleOptions options{.timesteps = spaced_timesteps(count, count, Spacing::leading),
                        .travel_length = length,
                        .travel_repeats = repeats};
  sample([](const Tensor& x, int) { return x; }, NoiseSchedule({.steps = count}), *make_ddpm(),
         Tensor({1, 1, 1, 1}), options, nullptr,
         [&](const SampleProgress& progress) { list.push_back(progress.t); });
  return list;
}

TEST(TimeTravel, goes_back_and_does_the_steps_again) {
  EXPECT_THAT(visited(4, 1, 1), ElementsAre(3, 2, 1, 0));
  EXPECT_THAT(visited(3, 1, 3), ElementsAre(2, 2, 2, 1, 1, 1, 0));
  EXPECT_THAT(visited(5, 2, 2), ElementsAre(4, 3, 4, 3, 2, 1, 2, 1, 0));
}

TEST(TimeTravel, keeps_near_the_spread_of_the_data) {
  const NoiseSchedule schedule;
  SampleOptions options = steps(50);
  options.travel_length = 5;
  options.travel_repeats = 3;
  const NoisePredictor model = model_of_gaussian_pictures(schedule, 0.25);
  for (const char* name : {"ddpm", "dpm++"})
    EXPECT_NEAR(deviation(sample(model, schedule, *make_sampler(name), gaussian({1, 1, 128, 128}),
                                 options)),
                0.25, 0.05)  // as without
        << name;
}

TEST(Sample, cancelled_gives_the_estimate_so_far) {
  std::stop_source stop;
  const NoisePredictor model = [](const Tensor& x, int) { return scaled(x, 0.5); };
  Tensor seen;
  int calls = 0;
  const Tensor result = sample(
      model, NoiseSchedule(), *make_ddim(), gaussian(kShape), steps(10), nullptr,
      [&](const SampleProgress& progress) {
        ++calls;
        EXPECT_EQ(progress.done, calls);
        EXPECT_EQ(progress.steps, 10);
        if (calls == 3) {
          seen = progress.x0;
          stop.request_stop();
        }
      },
      stop.get_token());
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(largest_difference(result, seen), 0);
}

TEST(Sample, model_that_gives_nan_or_another_shape_is_an_error) {
  const auto run = [](const NoisePredictor& model) {
    sample(model, NoiseSchedule(), *make_ddim(), Tensor(kShape), steps(4));
  };
  EXPECT_THAT(error_text(
                  [&] {
                    run([](const Tensor& x, int t) {
                      return Tensor(x.shape(),
                                    t < 500 ? std::numeric_limits<float>::quiet_NaN() : 0.f);
                    });
                  },
                  ErrorCode::numeric),
              HasSubstr("output at t = 499 is not finite"));
  EXPECT_THAT(error_text([&] { run([](const Tensor&, int) { return Tensor(); }); }),
              HasSubstr("made [0,0,0,0] of [1,3,8,8]"));
}

TEST(Sample, options_that_do_not_fit_are_refused) {
  const auto text = [](SampleOptions options, const Tensor& x = Tensor(kShape)) {
    return error_text([&] {
      sample([](const Tensor& t, int) { return t; }, NoiseSchedule(), *make_ddim(), x, options);
    });
  };
  EXPECT_THAT(text({}), HasSubstr("list of timesteps is empty"));
  EXPECT_THAT(text({.timesteps = {1000}}), HasSubstr("got 1000 as number 1"));
  EXPECT_THAT(text({.timesteps = {5, 5}}), HasSubstr("got 5 as number 2"));
  EXPECT_THAT(text({.timesteps = {5, -1}}), HasSubstr("got -1 as number 2"));
  EXPECT_THAT(text({.timesteps = {5}, .travel_length = 0}), HasSubstr("at least 1, got 0"));
  EXPECT_THAT(text({.timesteps = {5}}, Tensor()), HasSubstr("start is empty"));
}

}  // namespace sample_test
}  // namespace unmar
