#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "error_text.h"
#include "support.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace schedule_test {

using namespace diffusion_test;
using test::error_text;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Schedule, linear_keeps_the_published_share_of_the_picture) {
  const NoiseSchedule s;
  EXPECT_DOUBLE_EQ(s.beta(0), 1e-4);
  EXPECT_DOUBLE_EQ(s.beta(999), 0.02);
  EXPECT_NEAR(s.alpha_bar(0), 0.9999, 1e-12);
  EXPECT_NEAR(s.alpha_bar(100), 0.895142, 5e-7);
  EXPECT_NEAR(s.alpha_bar(250), 0.521423, 5e-7);
  EXPECT_NEAR(s.alpha_bar(500), 0.077797, 5e-7);
  EXPECT_NEAR(s.alpha_bar(750), 0.0033, 5e-5);
  EXPECT_NEAR(s.alpha_bar(999), 4.0e-5, 5e-7);
  EXPECT_EQ(s.alpha_bar(-1), 1);
}

TEST(Schedule, cosine_keeps_the_published_share_of_the_picture) {
  const NoiseSchedule s({.kind = BetaSchedule::cosine});
  EXPECT_NEAR(s.alpha_bar(0), 0.999959, 5e-7);
  EXPECT_NEAR(s.alpha_bar(100), 0.971576, 5e-7);
  EXPECT_NEAR(s.alpha_bar(250), 0.845888, 5e-7);
  EXPECT_NEAR(s.alpha_bar(500), 0.492285, 5e-7);
  EXPECT_NEAR(s.alpha_bar(750), 0.143179, 5e-7);
  EXPECT_NEAR(s.alpha_bar(999), 0, 1e-6);
  EXPECT_DOUBLE_EQ(s.beta(999), 0.999);
}

TEST(Schedule, scaled_linear_is_linear_in_the_root_of_beta) {
  const NoiseSchedule s(
      {.kind = BetaSchedule::scaled_linear, .steps = 3, .beta_start = 0.01, .beta_end = 0.25});
  EXPECT_DOUBLE_EQ(s.beta(0), 0.01);
  EXPECT_DOUBLE_EQ(s.beta(1), 0.09);
  EXPECT_DOUBLE_EQ(s.beta(2), 0.25);
}

TEST(Schedule, noise_as_seen_matches_the_table_for_8_bit_pictures) {
  const auto in_8_bit = [](const NoiseSchedule& s, int t) { return s.sigma(t) * 127.5; };
  const NoiseSchedule linear, cosine({.kind = BetaSchedule::cosine});
  EXPECT_NEAR(in_8_bit(linear, 50), 22.4, 0.05);
  EXPECT_NEAR(in_8_bit(linear, 200), 92.3, 0.05);
  EXPECT_NEAR(in_8_bit(cosine, 50), 11.6, 0.05);
  EXPECT_NEAR(in_8_bit(cosine, 500), 129.5, 0.05);
}

TEST(Schedule, options_out_of_range_are_refused) {
  EXPECT_THAT(error_text([] { NoiseSchedule({.steps = 0}); }), HasSubstr("steps must be 1 to"));
  EXPECT_THAT(error_text([] { NoiseSchedule({.beta_start = 0}); }), HasSubstr("got 0 to 0.02"));
  EXPECT_THAT(error_text([] { NoiseSchedule({.beta_end = NAN}); }), HasSubstr("got 0.0001 to nan"));
}

TEST(EntryTimestep, drowns_the_error_of_a_prior) {
  struct Row {
    double psnr;
    std::array<int, 4> linear, cosine;  // for 1 to 4 times the error
  };
  const NoiseSchedule linear, cosine({.kind = BetaSchedule::cosine});
  for (const Row& row : {Row{15, {104, 198, 271, 328}, {211, 388, 516, 606}},
                         Row{20, {58, 117, 171, 218}, {118, 236, 338, 425}},
                         Row{25, {31, 66, 99, 131}, {64, 134, 200, 263}},
                         Row{30, {16, 35, 55, 74}, {33, 73, 112, 151}}}) {
    const double rmse = 2 * std::pow(10, -row.psnr / 20);
    for (int factor = 1; factor <= 4; ++factor) {
      const auto i = static_cast<std::size_t>(factor - 1);
      EXPECT_EQ(entry_timestep(linear, rmse, factor), row.linear[i]) << row.psnr << " " << factor;
      EXPECT_EQ(entry_timestep(cosine, rmse, factor), row.cosine[i]) << row.psnr << " " << factor;
    }
  }
}

TEST(EntryTimestep, is_the_first_for_a_perfect_prior_and_the_last_for_a_hopeless_one) {
  const NoiseSchedule s;
  EXPECT_EQ(entry_timestep(s, 0, 3), 0);
  EXPECT_EQ(entry_timestep(s, 1e9, 3), 999);
  EXPECT_THAT(error_text([&] { entry_timestep(s, -1, 3); }), HasSubstr("must not be negative"));
}

TEST(Timesteps, are_spaced_three_ways) {
  EXPECT_THAT(spaced_timesteps(1000, 4, Spacing::leading), ElementsAre(750, 500, 250, 0));
  EXPECT_THAT(spaced_timesteps(1000, 4, Spacing::leading, 1), ElementsAre(751, 501, 251, 1));
  EXPECT_THAT(spaced_timesteps(1000, 4, Spacing::trailing), ElementsAre(999, 749, 499, 249));
  EXPECT_THAT(spaced_timesteps(1000, 4, Spacing::linspace), ElementsAre(999, 666, 333, 0));
  EXPECT_THAT(spaced_timesteps(8, 3, Spacing::trailing), ElementsAre(7, 4, 2));
}

TEST(Timesteps, of_a_chain_entered_in_the_middle_begin_there) {
  EXPECT_THAT(spaced_timesteps(100 + 1, 5, Spacing::trailing), ElementsAre(100, 80, 60, 39, 19));
  EXPECT_THAT(spaced_timesteps(1, 1, Spacing::trailing), ElementsAre(0));
}

TEST(Timesteps, all_of_them_are_the_same_for_every_spacing) {
  for (const Spacing spacing : {Spacing::leading, Spacing::trailing, Spacing::linspace})
    EXPECT_THAT(spaced_timesteps(5, 5, spacing), ElementsAre(4, 3, 2, 1, 0));
}

TEST(Timesteps, out_of_range_are_refused) {
  EXPECT_THAT(error_text([] { spaced_timesteps(10, 11, Spacing::leading); }), HasSubstr("1 to 10"));
  EXPECT_THAT(error_text([] { spaced_timesteps(10, 0, Spacing::leading); }), HasSubstr("1 to 10"));
  EXPECT_THAT(error_text([] { spaced_timesteps(10, 10, Spacing::leading, 1); }),
              HasSubstr("offset 1 leads to 10 .. 1"));
}

class Predictions : public testing::TestWithParam<double> {};
TEST_P(Predictions, give_back_the_picture_and_the_noise_that_x_was_made_of) {
  const double alpha_bar = GetParam(), a = std::sqrt(alpha_bar), s = std::sqrt(1 - alpha_bar);
  const double x0 = 0.3, epsilon = -1.7, x = a * x0 + s * epsilon;
  const auto expect = [&](Prediction prediction, double output) {
    const Mix to_x0 = mix_for_x0(prediction, alpha_bar);
    const Mix to_epsilon = mix_for_epsilon(prediction, alpha_bar);
    EXPECT_NEAR(to_x0.x * x + to_x0.output * output, x0, 1e-12);
    EXPECT_NEAR(to_epsilon.x * x + to_epsilon.output * output, epsilon, 1e-12);
  };
  expect(Prediction::epsilon, epsilon);
  expect(Prediction::sample, x0);
  expect(Prediction::v, a * epsilon - s * x0);
}
INSTANTIATE_TEST_SUITE_P(AtLevels, Predictions, testing::Values(0.9999, 0.5, 0.001));

TEST(AddNoise, checks_what_it_is_given) {
  const NoiseSchedule s;
  const Tensor x({1, 1, 2, 2}), other({1, 1, 2, 3});
  EXPECT_THAT(error_text([&] { add_noise(s, x, other, 0); }), HasSubstr("noise is [1,1,2,3]"));
  EXPECT_THAT(error_text([&] { add_noise(s, x, x, 1000); }), HasSubstr("t must be 0 to 999"));
}

}  // namespace schedule_test
}  // namespace unmar
