#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "error_text.h"
#include "unmar/base/error.h"
#include "unmar/base/random.h"
#include "unmar/fit/stop.h"

namespace unmar {
namespace stop_observed_test {

using test::error_text;
using testing::HasSubstr;

const Shape kColour{1, 3, 48, 40};
const Shape kGray{1, 1, 48, 40};
constexpr float kSigma = 0.1f;

/// Waves in which the channels agree up to a factor.
Tensor clean(const Shape& shape) {
  Tensor x(shape);
  for (int c = 0; c < shape.c; ++c)
    for (int row = 0; row < shape.h; ++row)
      for (int column = 0; column < shape.w; ++column)
        x.at(0, c, row, column) =
            0.5f + (0.2f - 0.04f * static_cast<float>(c)) *
                       std::sin(0.6f * static_cast<float>(row) + 0.5f * static_cast<float>(column));
  return x;
}

Tensor noise(const Shape& shape) {
  Tensor n(shape);
  Random(5, "noise").normal(n.values(), 0.f, kSigma);
  return n;
}

Tensor noisy(const Shape& shape) {
  Tensor y = clean(shape);
  const Tensor n = noise(shape);
  for (std::size_t i = 0; i < y.count(); ++i) y.data()[i] += n.data()[i];
  return y;
}

/// A synthetic fit: detail is learnt from 0 on, noise from kPeak on. hidden: values whose noise is
/// never seen.
constexpr int kPeak = 60;
constexpr float kLearnt = 0.01f;  // of the noise, in each iteration
Tensor iterate(const Shape& shape, int i, const Tensor& hidden = {}) {
  Tensor out = clean(shape);
  const Tensor n = noise(shape);
  const float detail = 1.f - std::exp(-static_cast<float>(i) / 8.f);
  const float learnt = kLearnt * static_cast<float>(std::max(0, i - kPeak));
  for (std::size_t k = 0; k < out.count(); ++k) {
    const bool unseen = !hidden.empty() && hidden.data()[k] > 0.f;
    // What is hidden is guessed from a neighbour, noise and all: here from some way off.
    const float own = n.data()[unseen ? (k + 7) % n.count() : k];
    out.data()[k] = 0.5f + detail * (out.data()[k] - 0.5f) + learnt * own;
  }
  return out;
}

/// Of an operator that leaves x as it is.
Stopper::Verdict observe(Stopper& stopper, int iteration, const Tensor& x) {
  return stopper.observe({iteration, 0.f, x, x});
}

struct Outcome {
  int best = -1, stop = -1;
};
Outcome play(Stopper& stopper, const std::function<Tensor(int)>& out, int iterations = 160) {
  Outcome outcome;
  for (int i = 0; i < iterations && outcome.stop < 0; ++i) {
    const Stopper::Verdict verdict = observe(stopper, i, out(i));
    if (verdict.new_best) outcome.best = i;
    if (verdict.stop) outcome.stop = i;
  }
  return outcome;
}

const ValleyOptions kValley{.patience = 20, .average = 0.5f};

TEST(Discrepancy, StopsWhereTheResidualIsAsStrongAsTheNoise) {
  const auto stopper = make_discrepancy(noisy(kColour), {}, kSigma);
  const Outcome outcome = play(*stopper, [](int i) { return iterate(kColour, i); });
  // The residual comes down to sigma^2 when the detail is there: to within the 2 % that 5760 draws
  // know their variance, where exp(-2 i / 8) of 0.0136 is 2 % of 0.01, or when noise is learnt.
  EXPECT_GT(outcome.stop, 15);
  EXPECT_LE(outcome.stop, kPeak + 2);
  EXPECT_EQ(outcome.best, outcome.stop);
  EXPECT_LE(stopper->signal().value(), 1);
  const Stopper::Verdict later = observe(*stopper, 500, iterate(kColour, 0));
  EXPECT_FALSE(later.new_best) << "the first crossing stands";
  EXPECT_TRUE(later.stop);
}

TEST(Discrepancy, ExpectsLessOfNoiseThatWasClipped) {
  Tensor black({1, 1, 100, 100}), y = black;
  Random(2, "noise").normal(y.values(), 0.f, kSigma);
  for (float& v : y.values()) v = std::max(v, 0.f);
  const auto stopper = make_discrepancy(y, {}, kSigma);
  observe(*stopper, 0, black);
  // Half of the noise is gone. The mean of 10^4 squares is known within 2.2 %; 4 of these.
  EXPECT_NEAR(stopper->signal().value(), 1, 0.09);
  const Tensor gray({1, 1, 100, 100}, 0.5f);
  Tensor around = gray;
  Random(2, "noise").normal(around.values(), 0.5f, kSigma);
  const auto inside = make_discrepancy(around, {}, kSigma);
  observe(*inside, 0, gray);
  EXPECT_NEAR(inside->signal().value(), 1, 0.06);  // 1.4 %; 4 of these
}

TEST(Discrepancy, LooksAtKnownValuesOnly) {
  const Tensor out({1, 1, 1, 2}, 0.5f);
  Tensor y = out, known = out;
  y.data()[0] = 2.f;  // beyond [0,1]: not clipped
  y.data()[1] = NAN;
  known.data()[0] = 1.f;
  known.data()[1] = 0.f;
  const auto stopper = make_discrepancy(y, known, 0.5f);
  observe(*stopper, 0, out);
  EXPECT_DOUBLE_EQ(stopper->signal().value(), 9.0);  // 1.5^2 / 0.5^2
}

double sum(const Tensor& t) {
  double total = 0;
  for (const float v : t.values()) total += static_cast<double>(v);
  return total;
}

TEST(HideValues, DrawsTheFractionOfThePixelsThatAreFullyKnown) {
  const Shape shape{1, 3, 100, 200};
  constexpr std::size_t kPlane = 20000;
  Tensor known(shape, 1.f);
  for (std::size_t i = 0; i < kPlane; i += 2) known.data()[kPlane + i] = i % 4 == 0 ? 0.f : 0.5f;
  const Tensor hidden = hide_values(shape, known, {.fraction = 0.1, .seed = 4});
  for (std::size_t i = 0; i < kPlane; ++i) {
    ASSERT_EQ(hidden.data()[i], hidden.data()[kPlane + i]) << "whole pixels";
    ASSERT_EQ(hidden.data()[i], hidden.data()[2 * kPlane + i]) << "whole pixels";
    ASSERT_TRUE(hidden.data()[i] == 0.f || i % 2 == 1) << "not fully known";
  }
  EXPECT_NEAR(sum(hidden), 3 * 1000, 3 * 120);  // sigma 30 pixels; 4 of these
  const Tensor again = hide_values(shape, known, {.fraction = 0.1, .seed = 4});
  EXPECT_TRUE(std::ranges::equal(again.values(), hidden.values()));
  const Tensor other = hide_values(shape, known, {.fraction = 0.1, .seed = 5});
  EXPECT_FALSE(std::ranges::equal(other.values(), hidden.values()));
}

TEST(HideValues, KeepsToItsGreatestCount) {
  const Tensor hidden =
      hide_values({1, 3, 200, 200}, {}, {.fraction = 0.5, .max_count = 1000, .seed = 4});
  EXPECT_NEAR(sum(hidden), 3 * 1000, 3 * 126);
}

TEST(HeldOut, ChoosesTheIterateBeforeNoiseIsLearnt) {
  const Tensor hidden = hide_values(kColour, {}, {.fraction = 0.2, .seed = 1});
  const auto stopper = make_held_out(noisy(kColour), hidden, LossKind::mse, kValley);
  const Outcome outcome = play(*stopper, [&](int i) { return iterate(kColour, i, hidden); });
  EXPECT_NEAR(outcome.best, kPeak, 12);  // the error is flat to 2 % within these
  EXPECT_EQ(outcome.stop, outcome.best + 20);
}

TEST(HeldOut, MeasuresTheRunningAverageByTheLossOfTheFit) {
  Tensor hidden({1, 1, 1, 3}, 0.f), y = hidden, out = hidden;
  hidden.data()[1] = hidden.data()[2] = 1.f;
  y.data()[0] = NAN;  // seen, so none of its business
  out.data()[1] = 0.5f;
  out.data()[2] = -0.25f;
  const auto mse = make_held_out(y, hidden, LossKind::mse, {.average = 0.5f});
  const auto l1 = make_held_out(y, hidden, LossKind::l1, {.average = 0.5f});
  for (int i = 0; i < 2; ++i) {
    observe(*mse, i, i == 0 ? out : Tensor({1, 1, 1, 3}, 0.f));
    observe(*l1, i, i == 0 ? out : Tensor({1, 1, 1, 3}, 0.f));
  }
  // Of the second iterate's average the first is a sixth yet (fit/running_average.h).
  EXPECT_NEAR(mse->signal().value(), (0.25 + 0.0625) / 36 / 2, 1e-7);
  EXPECT_NEAR(l1->signal().value(), (0.5 + 0.25) / 6 / 2, 1e-7);
}

TEST(SelfReference, OfColoursChoosesTheIterateBeforeNoiseIsLearnt) {
  const auto stopper = make_self_reference(noisy(kColour), {}, kValley);
  const Outcome outcome = play(*stopper, [](int i) { return iterate(kColour, i); });
  EXPECT_NEAR(outcome.best, kPeak, 12);
  EXPECT_EQ(outcome.stop, outcome.best + 20);
}

TEST(SelfReference, OfGrayChoosesTheIterateBeforeNoiseIsLearnt) {
  const auto stopper = make_self_reference(noisy(kGray), {}, kValley);
  const Outcome outcome = play(*stopper, [](int i) { return iterate(kGray, i); });
  EXPECT_NEAR(outcome.best, kPeak, 12);
  EXPECT_GT(outcome.stop, 0);
}

TEST(SelfReference, IsTheErrorOfTheBestPredictionFromTheOtherColours) {
  // Noiseless, and the channels are factors of one another: nothing stays unexplained, up to the
  // ridge of one grey level, squared.
  const auto exact = make_self_reference(clean(kColour), {}, kValley);
  observe(*exact, 0, clean(kColour));
  EXPECT_LT(exact->signal().value(), 2e-5);
  // Without detail all of it does: the variance within blocks of three planes.
  const auto flat = make_self_reference(clean(kColour), {}, kValley);
  observe(*flat, 0, Tensor(kColour, 0.5f));
  EXPECT_GT(flat->signal().value(), 5e-3);
}

TEST(SelfReference, LooksAtKnownPixelsOnly) {
  Tensor y = clean(kColour), known(kColour, 1.f), out = y;
  for (int row = 0; row < 12; ++row)
    for (int column = 0; column < 40; ++column) {
      y.at(0, 1, row, column) = NAN;
      known.at(0, 1, row, column) = 0.f;
      out.at(0, 0, row, column) = 9.f;
    }
  const auto stopper = make_self_reference(y, known, kValley);
  observe(*stopper, 0, out);
  EXPECT_LT(stopper->signal().value(), 2e-5);
}

/// f(y) = gain * y: a linear network, whose divergence is gain * N.
struct Linear {
  float gain;
  Tensor operator()(const Tensor& y) const {
    Tensor out = y;
    for (float& v : out.values()) v *= gain;
    return out;
  }
};

TEST(Sure, IsTheRiskOfALinearFilter) {
  const Shape shape{1, 1, 60, 60};
  const Tensor x = clean(shape), y = noisy(shape);
  Tensor jittered({1, 1, 64, 62}, 0.25f);  // larger: the picture lies in the middle
  Tensor jitter(shape), inside = y;
  Random(8, "jitter").normal(jitter.values(), 0.f, 0.02f);
  for (int row = 0; row < 60; ++row)
    for (int column = 0; column < 60; ++column) {
      inside.at(0, 0, row, column) += jitter.at(0, 0, row, column);
      jittered.at(0, 0, row + 2, column + 1) = inside.at(0, 0, row, column);
    }
  for (const float gain : {0.2f, 0.9f, 1.f}) {
    const Linear f{gain};
    const auto stopper = make_sure(y, {.sigma = kSigma});
    ASSERT_TRUE(stopper->wants_probe(0));
    stopper->probe(f(y), jittered);
    observe(*stopper, 0, f(inside));
    double truth = 0;
    for (std::size_t i = 0; i < x.count(); ++i)
      truth += std::pow(static_cast<double>(f(y).data()[i]) - static_cast<double>(x.data()[i]), 2);
    truth /= static_cast<double>(x.count());
    // 3600 draws: of sigma^2 = 0.01 known within 2.4e-4, and of 2 (1 - gain) times the noise's
    // product with the picture (rms 0.52) within 1.7e-3 (1 - gain); 4 of these.
    EXPECT_NEAR(stopper->signal().value(), truth, 1e-3 + 7e-3 * (1 - static_cast<double>(gain)))
        << gain;
  }
}

TEST(Sure, StopsAtItsFirstRiskBelowZero) {
  const Tensor y = noisy(kGray);
  Tensor jittered = y;
  for (float& v : jittered.values()) v += 0.01f;
  const auto stopper = make_sure(y, {.sigma = kSigma, .every = 5});
  int stop = -1;
  for (int i = 0; i < 40 && stop < 0; ++i) {
    if (stopper->wants_probe(i)) {
      EXPECT_EQ(i % 5, 0);
      stopper->probe(iterate(kGray, 2 * i), jittered);
    }
    // Without jitter and with it the same: no divergence, so the risk is |f - y|^2 - sigma^2.
    const Stopper::Verdict verdict = observe(*stopper, i, iterate(kGray, 2 * i));
    EXPECT_TRUE(verdict.new_best);
    if (verdict.stop) stop = i;
  }
  ASSERT_GT(stop, 0);
  EXPECT_EQ(stop % 5, 0);
  EXPECT_LT(stopper->signal().value(), 0);
}

TEST(Sure, SaysSoIfTheFitGivesNoProbes) {
  const auto stopper = make_sure(noisy(kGray), {.sigma = kSigma});
  EXPECT_THAT(error_text([&] { observe(*stopper, 0, clean(kGray)); }),
              HasSubstr("SURE: the fit gives no probes"));
}

/// Says what it is told to see.
class Told final : public Stopper {
 public:
  explicit Told(std::vector<double> signals) : signals_(std::move(signals)) {}
  std::string name() const override { return "told"; }
  Verdict observe(const Iterate& iterate) override {
    signal_ = signals_.at(static_cast<std::size_t>(iterate.iteration));
    return {};
  }
  std::optional<double> signal() const override { return signal_; }
  void rewind(int) override {}

 private:
  std::vector<double> signals_;
  std::optional<double> signal_;
};

TEST(Auto, SearchesTheGeometricMeanOfBothSignalsByTheirWeights) {
  const auto stopper =
      make_auto(std::make_unique<Told>(std::vector<double>{16, 1, 0, 0}),
                std::make_unique<Told>(std::vector<double>{1, 16, 1, 1}), 3, {.patience = 1});
  const Tensor out({1, 1, 1, 1});
  EXPECT_TRUE(observe(*stopper, 0, out).new_best);
  EXPECT_NEAR(*stopper->signal(), 2, 1e-9);
  const Stopper::Verdict worse = observe(*stopper, 1, out);
  EXPECT_NEAR(*stopper->signal(), 8, 1e-9);
  EXPECT_FALSE(worse.new_best);
  EXPECT_TRUE(worse.stop);
  const Stopper::Verdict after = observe(*stopper, 2, out);
  EXPECT_TRUE(std::isfinite(*stopper->signal())) << "an error of 0";
  EXPECT_FALSE(after.new_best) << "nothing is chosen after the end";
  EXPECT_TRUE(after.stop) << "it stays with its end";
}

/// Hidden values that get a third of their noise from their neighbours, as of slightly blurred
/// noise.
TEST(Auto, IsSavedBySelfReferenceWhereNeighboursShareTheNoise) {
  const Tensor hidden = hide_values(kColour, {}, {.fraction = 0.2, .seed = 1});
  const Tensor n = noise(kColour);
  const auto out = [&](int i) {
    Tensor x = iterate(kColour, i);
    for (std::size_t k = 0; k < x.count(); ++k)
      x.data()[k] -= 2.f / 3 * hidden.data()[k] * kLearnt * n.data()[k] *
                     static_cast<float>(std::max(0, i - kPeak));
    return x;
  };
  const auto alone = make_held_out(noisy(kColour), hidden, LossKind::mse, kValley);
  EXPECT_EQ(play(*alone, out).stop, -1);
  const auto both = make_auto(make_held_out(noisy(kColour), hidden, LossKind::mse, kValley),
                              make_self_reference(noisy(kColour), {}, kValley), 3, kValley);
  EXPECT_NEAR(play(*both, out).best, kPeak + 30, 15);
}

TEST(ObservedStoppers, NameWhatDoesNotFit) {
  const Tensor y = noisy(kColour);
  EXPECT_THAT(error_text([&] { make_discrepancy(y, {}, 0.f); }),
              HasSubstr("discrepancy: sigma must be above 0, got 0"));
  EXPECT_THAT(error_text([&] { make_sure(y, {.sigma = NAN}); }), HasSubstr("got nan"));
  EXPECT_THAT(error_text([&] { make_sure(y, {.sigma = 1.f, .every = 0}); }),
              HasSubstr("every must be at least 1, got 0"));
  EXPECT_THAT(error_text([&] { make_discrepancy(y, Tensor(kGray, 1.f), 1.f); }),
              HasSubstr("[1,1,48,40], but the observation is [1,3,48,40]"));
  EXPECT_THAT(error_text([&] { make_discrepancy(y, Tensor(kColour), 1.f); }),
              HasSubstr("no value of the observation is known"));
  EXPECT_THAT(error_text([&] { make_held_out(y, Tensor(kColour), LossKind::mse, {}); }),
              HasSubstr("held-out: no value of the observation is hidden"));
  EXPECT_THAT(
      error_text([&] { make_held_out(y, Tensor(kColour, 1.f), LossKind::mse, {.patience = 0}); }),
      HasSubstr("held-out: patience must be at least 1, got 0"));
  EXPECT_THAT(error_text([&] { hide_values(kColour, {}, {.fraction = 1}); }),
              HasSubstr("the fraction must lie between 0 and 1, got 1"));
  EXPECT_THAT(error_text([&] {
                make_self_reference(Tensor({1, 2, 9, 9}), {}, {});
              }),
              HasSubstr("1 or 3 channels, got [1,2,9,9]"));
  EXPECT_THAT(error_text([&] {
                make_self_reference(Tensor({1, 1, 1, 1}), {}, {});
              }),
              HasSubstr("take another stopper"));
}

TEST(ObservedStoppers, RefuseAPredictionThatIsNotOfTheSizeOfTheObservation) {
  const Tensor y = noisy(kColour), hidden(kColour, 1.f), large({1, 3, 96, 80});
  const auto discrepancy = make_discrepancy(y, {}, 1.f);
  const auto held_out = make_held_out(y, hidden, LossKind::mse, {});
  const auto self_reference = make_self_reference(y, {}, {});
  for (Stopper* stopper : {discrepancy.get(), held_out.get(), self_reference.get()})
    EXPECT_THAT(error_text([&] { observe(*stopper, 0, large); }),
                HasSubstr("[1,3,96,80] but the observation is [1,3,48,40]"));
}

}  // namespace stop_observed_test
}  // namespace unmar
