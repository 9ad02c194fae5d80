#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "unmar/base/error.h"
#include "unmar/base/random.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace stop_variance_test {

const Shape kPicture{1, 3, 24, 20};

/// A synthetic fit: the distance to the image decays while it is learned; from kValley on, what
/// changes from one iterate to the next grows, as when noise is learned.
constexpr int kValley = 150;
Tensor iterate(int i) {
  Tensor out(kPicture), fresh(kPicture);
  Random(1, "distance").normal(out.values());
  Random(1, "fresh" + std::to_string(i)).normal(fresh.values());
  const float distance = 0.2f * std::exp(-static_cast<float>(i) / 20.f);
  const float wobble = 5e-4f + 1e-4f * static_cast<float>(std::max(0, i - kValley));
  for (std::size_t k = 0; k < out.count(); ++k)
    out.data()[k] = 0.5f + distance * out.data()[k] + wobble * fresh.data()[k];
  return out;
}

/// Of an operator that leaves x as it is.
Stopper::Verdict observe(Stopper& stopper, int iteration, const Tensor& x) {
  return stopper.observe({iteration, 0.f, x, x});
}

struct Outcome {
  int best = -1, stop = -1;
  std::vector<std::optional<double>> signals;
};

Outcome play(Stopper& stopper, int iterations, const std::function<Tensor(int)>& out = iterate) {
  Outcome outcome;
  for (int i = 0; i < iterations && outcome.stop < 0; ++i) {
    const Stopper::Verdict verdict = observe(stopper, i, out(i));
    outcome.signals.push_back(stopper.signal());
    if (verdict.new_best) outcome.best = i;
    if (verdict.stop) outcome.stop = i;
  }
  return outcome;
}

VarianceOptions small() {
  VarianceOptions options;
  options.window = 20;
  options.patience = 60;
  options.min_start = 30;
  return options;
}

Tensor constant(float value) { return Tensor({1, 1, 1, 2}, value); }

TEST(FixedCount, TakesEveryIterateForTheBestAndNeverStops) {
  const auto stopper = make_fixed_count();
  for (int i = 0; i < 5; ++i) {
    const Stopper::Verdict verdict = observe(*stopper, i, constant(0.f));
    EXPECT_TRUE(verdict.new_best);
    EXPECT_FALSE(verdict.stop);
  }
  EXPECT_FALSE(stopper->signal());
}

TEST(WindowedVariance, IsTheMeanVarianceOverTheWindow) {
  const auto stopper = make_windowed_variance({.window = 7, .patience = 1000});
  const Outcome outcome = play(*stopper, 40);
  for (int i = 0; i < 40; ++i) {
    const auto& signal = outcome.signals[static_cast<std::size_t>(i)];
    ASSERT_EQ(signal.has_value(), i >= 6) << i;
    if (i < 6) continue;
    double expected = 0;  // as the paper writes it: mean over the window of |x - mean|^2 / N
    std::vector<Tensor> window;
    for (int k = i - 6; k <= i; ++k) window.push_back(iterate(k));
    for (std::size_t p = 0; p < kPicture.count(); ++p) {
      double mean = 0;
      for (const Tensor& x : window) mean += static_cast<double>(x.data()[p]) / 7;
      for (const Tensor& x : window)
        expected += std::pow(static_cast<double>(x.data()[p]) - mean, 2) / 7;
    }
    expected /= static_cast<double>(kPicture.count());
    // Sums of squares near 0.25 in double: 1e-16 of them, over variances of 1e-7 and more.
    ASSERT_NEAR(*signal, expected, 1e-8 * expected) << i;
  }
}

TEST(WindowedVariance, GetsRidOfTheRoundingThatAHugeValueLeavesInItsSums) {
  const auto stopper = make_windowed_variance({.window = 4, .patience = 1000});
  observe(*stopper, 0, constant(1e8f));  // its square hides anything below 2
  for (int i = 1; i < 12; ++i) observe(*stopper, i, constant(i % 2 == 0 ? 0.25f : 0.75f));
  EXPECT_EQ(stopper->signal(), 0.0625);
}

TEST(MovingVariance, FollowsItsFormula) {
  const auto stopper = make_moving_variance({.alpha = 0.2f, .patience = 1000});
  const Outcome outcome = play(*stopper, 30);
  std::vector<double> mean(kPicture.count());
  double variance = 0;
  for (int i = 0; i < 30; ++i) {
    const Tensor x = iterate(i);
    double squares = 0;
    for (std::size_t p = 0; p < mean.size(); ++p) {
      const auto value = static_cast<double>(x.data()[p]);
      if (i == 0) mean[p] = value;
      const double delta = value - mean[p];
      mean[p] += 0.2 * delta;
      squares += delta * delta;
    }
    variance = 0.8 * (variance + 0.2 * squares / static_cast<double>(mean.size()));
    // The stopper keeps its mean in float: 1e-7 of values near 0.5, against steps of 1e-3.
    ASSERT_NEAR(outcome.signals[static_cast<std::size_t>(i)].value(), variance, 1e-3 * variance);
  }
}

TEST(WindowedVariance, ChoosesTheValleyAndStopsWhenPatienceEnds) {
  const auto stopper = make_windowed_variance(small());
  const Outcome outcome = play(*stopper, 1000);
  // The wobble's own fluctuation lets the minimum fall anywhere on the flat floor: one window.
  EXPECT_NEAR(outcome.best, kValley, 20);
  EXPECT_EQ(outcome.stop, outcome.best + 60);
}

TEST(MovingVariance, ChoosesTheValleyAndStopsWhenPatienceEnds) {
  const auto stopper = make_moving_variance(small());
  const Outcome outcome = play(*stopper, 1000);
  EXPECT_NEAR(outcome.best, kValley, 20);
  EXPECT_EQ(outcome.stop, outcome.best + 60);
}

TEST(WindowedVariance, OfASampleChoosesTheSameValley) {
  VarianceOptions few = small();
  few.max_samples = 200;  // of 1440
  const Outcome all = play(*make_windowed_variance(small()), 1000);
  const Outcome sampled = play(*make_windowed_variance(few), 1000);
  EXPECT_NE(all.signals[100], sampled.signals[100]) << "compared with itself";
  EXPECT_NEAR(sampled.best, all.best, 10);  // half a window, on the flat floor
}

/// Calm from 10 to 19, then calmer from 60 on.
Tensor two_valleys(int i) {
  const float step = i < 10 ? 0.1f : i < 20 ? 1e-3f : i < 60 ? 0.1f : 1e-4f;
  return constant(0.5f + (i % 2 == 0 ? step : -step));
}

TEST(WindowedVariance, IgnoresMinimaBeforeMinStart) {
  VarianceOptions options{.window = 4, .patience = 100, .min_start = 25};
  EXPECT_GE(play(*make_windowed_variance(options), 50, two_valleys).best, 25);
  options.min_start = 0;
  const int early = play(*make_windowed_variance(options), 50, two_valleys).best;
  EXPECT_GE(early, 13);
  EXPECT_LT(early, 20);
}

TEST(MovingVariance, IgnoresMinimaBeforeMinStart) {
  VarianceOptions options{.alpha = 0.5f, .patience = 100, .min_start = 25};
  EXPECT_GE(play(*make_moving_variance(options), 50, two_valleys).best, 25);
}

TEST(WindowedVariance, WithoutAFullWindowChoosesNothing) {
  VarianceOptions options{.window = 30, .patience = 5, .min_start = 0};
  const Outcome outcome = play(*make_windowed_variance(options), 29, two_valleys);
  EXPECT_EQ(outcome.best, -1);
  EXPECT_EQ(outcome.stop, -1);
}

TEST(WindowedVariance, StaysWithTheFirstConfirmedMinimumHoweverCalmItGetsLater) {
  VarianceOptions options{.window = 4, .patience = 20, .min_start = 0};
  const auto stopper = make_windowed_variance(options);
  const Outcome outcome = play(*stopper, 1000, two_valleys);
  ASSERT_EQ(outcome.stop, outcome.best + 20);
  ASSERT_LT(outcome.best, 20);
  for (int i = outcome.stop + 1; i < 100; ++i) {
    const Stopper::Verdict verdict = observe(*stopper, i, two_valleys(i));
    EXPECT_FALSE(verdict.new_best) << i;
    EXPECT_TRUE(verdict.stop) << i;
  }
  EXPECT_TRUE(stopper->signal());
}

TEST(WindowedVariance, WithMorePatienceFindsTheSecondValley) {
  VarianceOptions options{.window = 4, .patience = 60, .min_start = 0};
  EXPECT_GE(play(*make_windowed_variance(options), 1000, two_valleys).best, 60);
}

TEST(WindowedVariance, DoesNotTakeTheJumpOfARewindForMovement) {
  const auto stopper = make_windowed_variance({.window = 4, .patience = 1000, .min_start = 0});
  for (int i = 0; i < 10; ++i) observe(*stopper, i, constant(0.5f));
  ASSERT_EQ(stopper->signal(), 0.0);
  stopper->rewind(6);
  EXPECT_FALSE(stopper->signal());
  for (int i = 11; i < 14; ++i) {
    observe(*stopper, i, constant(0.125f));
    EXPECT_FALSE(stopper->signal()) << "the window is not full yet";
  }
  observe(*stopper, 14, constant(0.125f));
  EXPECT_EQ(stopper->signal(), 0.0);
}

TEST(WindowedVariance, SpendsNoPatienceWhileItsWindowRefills) {
  const auto stopper = make_windowed_variance({.window = 4, .patience = 3, .min_start = 0});
  int i = 0;
  for (; i < 4; ++i) observe(*stopper, i, constant(0.5f));
  ASSERT_TRUE(stopper->signal());
  const auto rising = [](int k) { return constant(0.01f * static_cast<float>(k * k)); };
  ASSERT_FALSE(observe(*stopper, i, rising(i)).stop);  // 1 of 3
  stopper->rewind(2);
  for (int k = 0; k < 4; ++k, ++i) ASSERT_FALSE(observe(*stopper, i, rising(i)).stop) << i;
  EXPECT_TRUE(observe(*stopper, i, rising(i)).stop);  // the window's first value was 2, this 3
}

TEST(MovingVariance, MakesNoFalseMinimumOfARewind) {
  const auto stopper = make_moving_variance({.patience = 1000, .min_start = 10});
  play(*stopper, 200);
  stopper->rewind(180);
  const double before = stopper->signal().value();
  for (int i = 201; i < 230; ++i) {
    EXPECT_FALSE(observe(*stopper, i, iterate(i - 20)).new_best) << i;
    EXPECT_GT(stopper->signal().value(), 0.2 * before) << i;
  }
}

template <class Make>
std::string error_of(Make make) {
  try {
    make();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_argument);
    return e.what();
  }
  return "no error";
}

TEST(VarianceStoppers, NameOptionsOutOfRange) {
  EXPECT_EQ(error_of([] { make_windowed_variance({.window = 1}); }),
            "windowed variance: window must be at least 2, got 1");
  EXPECT_THAT(error_of([] { make_windowed_variance({.window = -3}); }), testing::HasSubstr("-3"));
  EXPECT_EQ(error_of([] { make_windowed_variance({.patience = 0}); }),
            "windowed variance: patience must be at least 1, got 0");
  EXPECT_EQ(error_of([] { make_moving_variance({.min_start = -1}); }),
            "moving variance: min_start must be 0 or more, got -1");
  EXPECT_EQ(error_of([] { make_moving_variance({.max_samples = 0}); }),
            "moving variance: max_samples must be at least 1, got 0");
  EXPECT_EQ(error_of([] { make_moving_variance({.alpha = 1.f}); }),
            "moving variance: alpha must lie between 0 and 1, got 1");
}

TEST(VarianceStoppers, RefuseAPictureThatChangesItsShape) {
  for (const auto& make : {make_windowed_variance, make_moving_variance}) {
    const auto stopper = make({});
    observe(*stopper, 0, Tensor({1, 1, 2, 3}));
    EXPECT_THAT(error_of([&] {
                  observe(*stopper, 1, Tensor({1, 1, 3, 2}));
                }),
                testing::HasSubstr("was [1,1,2,3] and is now [1,1,3,2]"));
  }
}

}  // namespace stop_variance_test
}  // namespace unmar
