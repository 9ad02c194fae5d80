#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stop_token>
#include <vector>

#include "error_text.h"
#include "patches/support.h"
#include "unmar/patches/patches.h"

namespace unmar::test {
namespace options_test {

using testing::HasSubstr;

constexpr double kSigma = 25 / 255.;

TEST(PatchOptions, out_of_range_are_refused_by_name) {
  const Tensor y = waves({1, 1, 20, 20});
  const auto error = [&](const PatchOptions& options) {
    return error_text([&] { patches_denoise(y, white(kSigma), options); });
  };
  for (const int size : {-1, 17}) EXPECT_THAT(error({.size = size}), HasSubstr("size must be"));
  for (const int group : {-1, 257})
    EXPECT_THAT(error({.group = group}), HasSubstr("group must be"));
  for (const int radius : {-1, 101})
    EXPECT_THAT(error({.radius = radius}), HasSubstr("radius must be"));
  for (const int step : {-1, 7}) EXPECT_THAT(error({.step = step}), HasSubstr("step must be"));
  EXPECT_THAT(error({.size = 4, .step = 5}), HasSubstr("step must be from 1 to 4"));
  for (const int iterations : {-1, 101})
    EXPECT_THAT(error({.iterations = iterations}), HasSubstr("iterations must be"));
  EXPECT_THAT(error({.iterations = 101}), HasSubstr("got 101"));
}

TEST(PatchOptions, at_the_ends_of_their_ranges_are_accepted) {
  const Tensor y = noisy(waves({1, 1, 24, 24}), kSigma);
  for (const PatchOptions& options :
       {PatchOptions{.size = 1, .group = 1, .radius = 1, .step = 1, .iterations = 1},
        PatchOptions{.size = 16, .group = 256, .radius = 100, .step = 16, .iterations = 1},
        PatchOptions{.group = 4, .radius = 2, .iterations = 100}})
    EXPECT_EQ(not_finite(patches_denoise(y, white(kSigma), options)), 0u);
}

TEST(Filter, refuses_what_is_no_single_picture) {
  const auto error = [](const Tensor& y) {
    return error_text([&] { patches_denoise(y, white(kSigma)); });
  };
  EXPECT_THAT(error(Tensor({2, 1, 8, 8})), HasSubstr("got [2,1,8,8]"));
  EXPECT_THAT(error(Tensor()), HasSubstr("one picture"));
}

TEST(Filter, refuses_a_pilot_or_a_mask_of_another_shape) {
  const Tensor y({1, 3, 8, 9}, 0.5f);
  const auto step = [&](const Shape& pilot) {
    return error_text([&] { patches_step(y, Tensor(pilot), white(kSigma)); });
  };
  EXPECT_THAT(step({1, 1, 8, 9}), HasSubstr("the pilot is [1,1,8,9]"));
  EXPECT_THAT(step({1, 3, 9, 8}), HasSubstr("the picture is [1,3,8,9]"));
  const auto masked = [&](const Shape& known) {
    return error_text([&] { patches_denoise(y, white(kSigma), {}, Tensor(known, 1.f)); });
  };
  EXPECT_THAT(masked({1, 2, 8, 9}), HasSubstr("what is known is [1,2,8,9]"));
  EXPECT_THAT(masked({1, 1, 9, 8}), HasSubstr("what is known is [1,1,9,8]"));
}

/// What on_progress was told.
std::vector<double> progress_of(const Shape& shape, bool masked) {
  std::vector<double> told;
  const Tensor y = noisy(waves(shape), kSigma);
  Tensor known;
  if (masked) {
    known = Tensor({1, 1, shape.h, shape.w}, 1.f);
    known.at(0, 0, 0, 0) = 0.f;
  }
  patches_denoise(y, white(kSigma),
                  {.radius = 4,
                   .iterations = 2,
                   .threads = 2,
                   .on_progress = [&](double share) { told.push_back(share); }},
                  known);
  return told;
}

void expect_rising_to_1(const std::vector<double>& told) {
  ASSERT_GT(told.size(), 2u);
  EXPECT_GT(told.front(), 0);
  for (std::size_t i = 1; i < told.size(); ++i) EXPECT_GT(told[i], told[i - 1]);
  EXPECT_DOUBLE_EQ(told.back(), 1);
}

TEST(Progress, rises_to_1_in_a_large_picture) {
  expect_rising_to_1(progress_of({1, 1, 64, 70}, false));
  expect_rising_to_1(progress_of({1, 1, 64, 70}, true));
}

TEST(Progress, rises_to_1_in_a_picture_with_a_single_square_of_groups) {
  expect_rising_to_1(progress_of({1, 1, 12, 13}, false));
  expect_rising_to_1(progress_of({1, 1, 12, 90}, false));
  expect_rising_to_1(progress_of({1, 1, 1, 1}, false));
}

TEST(Progress, of_a_step_rises_to_1) {
  std::vector<double> told;
  const Tensor y = noisy(waves({1, 1, 64, 70}), kSigma);
  patches_step(y, y, white(kSigma),
               {.radius = 4, .on_progress = [&](double share) { told.push_back(share); }});
  expect_rising_to_1(told);
}

TEST(Cancel, before_the_begin_gives_back_the_noisy_picture_without_any_work) {
  std::stop_source stop;
  stop.request_stop();
  int calls = 0;
  const Tensor y = noisy(waves({1, 1, 40, 41}), kSigma);
  const PatchOptions options{.on_progress = [&](double) { ++calls; }, .cancel = stop.get_token()};
  EXPECT_EQ(other_bits(patches_denoise(y, white(kSigma), options), y), 0u);
  const Tensor pilot = waves({1, 1, 40, 41});
  EXPECT_EQ(other_bits(patches_step(y, pilot, white(kSigma), options), pilot), 0u);
  EXPECT_EQ(calls, 0);
}

/// The filter's result if it is cancelled when so much is done; and it must end at once.
Tensor cancelled_at(const Tensor& y, double share, const Tensor& known = {}) {
  std::stop_source stop;
  int calls_after = -1;
  Tensor x = patches_denoise(y, white(kSigma),
                             {.radius = 4,
                              .iterations = 4,
                              .threads = 2,
                              .on_progress =
                                  [&](double done) {
                                    if (stop.stop_requested()) ++calls_after;
                                    if (done >= share && stop.request_stop()) calls_after = 0;
                                  },
                              .cancel = stop.get_token()},
                             known);
  EXPECT_EQ(calls_after, 0);
  return x;
}

TEST(Cancel, at_any_time_gives_the_best_so_far) {
  const Tensor clean = waves({1, 3, 50, 52});
  const Tensor y = noisy(clean, kSigma);
  double before = decibels(y, clean);
  for (const double share : {0.02, 0.25, 0.5, 0.75, 0.95}) {
    const Tensor x = cancelled_at(y, share);
    EXPECT_EQ(not_finite(x), 0u) << share;
    EXPECT_GE(decibels(x, clean), before) << share;  // never worse than what was done before
    before = decibels(x, clean);
  }
  EXPECT_GT(before, decibels(y, clean) + 5);
}

TEST(Cancel, in_the_second_round_of_a_picture_with_holes_keeps_the_result_of_the_first) {
  const Tensor clean = waves({1, 1, 50, 52});
  const Tensor y = noisy(clean, kSigma);
  Tensor known({1, 1, 50, 52});
  Random(1, "known").bernoulli(known.values(), 0.9f);
  const double first = decibels(cancelled_at(y, 0.5, known), clean);
  EXPECT_GT(first, decibels(y, clean) + 5);
  EXPECT_GE(decibels(cancelled_at(y, 0.52, known), clean), first - 0.5);
  EXPECT_GE(decibels(cancelled_at(y, 0.6, known), clean), first - 0.5);
}

}  // namespace options_test
}  // namespace unmar::test
