#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "fit/fake_engine.h"
#include "unmar/base/error.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace rollback_test {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

FitOptions options_with(int iterations, int every = 4) {
  FitOptions options;
  options.iterations = iterations;
  options.average = 0.f;
  options.rollback_every = every;
  return options;
}

/// Loss 0.1 but where `spikes` says otherwise.
Script spiking(std::vector<std::pair<int, float>> spikes) {
  Script script;
  script.loss = [spikes](int i, int) {
    for (const auto& [at, value] : spikes)
      if (i == at) return value;
    return 0.1f;
  };
  return script;
}

FitResult run(FakeEngine& engine, const FitOptions& options, Stopper& stopper) {
  return fit(fake_problem(engine.script.picture), engine, options, stopper);
}

float pixel(const Tensor& picture) { return picture.data()[0]; }

std::vector<int> rolled_back(const FitResult& result) {
  std::vector<int> at;
  for (const HistoryRow& row : result.history)
    if (row.rolled_back) at.push_back(row.iteration);
  return at;
}

void expect_same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].shape(), b[i].shape());
    EXPECT_EQ(std::memcmp(a[i].data(), b[i].data(), a[i].count() * sizeof(float)), 0);
  }
}

TEST(Rollback, RestoresWeightsMomentsAndUpdateCountBitForBit) {
  FakeEngine engine(spiking({{7, 1.f}}));
  ScriptedStopper stopper;
  const FitResult result = run(engine, options_with(10), stopper);
  ASSERT_EQ(engine.log.states.size(), 10u);
  const TrainState& snapshot = engine.log.states[4];
  const TrainState& after = engine.log.states[8];
  expect_same_bits(after.params, snapshot.params);
  expect_same_bits(after.m, snapshot.m);
  expect_same_bits(after.v, snapshot.v);
  EXPECT_EQ(after.updates, 4);
  // The states differ elsewhere, or the above would prove nothing.
  EXPECT_NE(engine.log.states[5].params[0].data()[0], snapshot.params[0].data()[0]);
  EXPECT_EQ(result.rollbacks, 1);
  EXPECT_THAT(rolled_back(result), ElementsAre(7));
}

TEST(Rollback, GoesOnWithTheNextIterationSoThatTheJitterDiffers) {
  FakeEngine engine(spiking({{2, 1.f}}));
  ScriptedStopper stopper;
  run(engine, options_with(5), stopper);
  EXPECT_THAT(engine.log.iterations, ElementsAre(0, 1, 2, 3, 4));
}

TEST(Rollback, HidesTheSpikeFromTheStopperAndTellsItWhereTheFitWentBackTo) {
  FakeEngine engine(spiking({{6, 1.f}}));
  ScriptedStopper stopper;
  const FitResult result = run(engine, options_with(8), stopper);
  EXPECT_THAT(stopper.seen, ElementsAre(0, 1, 2, 3, 4, 5, 7));
  EXPECT_THAT(stopper.rewinds, ElementsAre(4));
  EXPECT_FALSE(result.history[6].signal);
}

TEST(Rollback, ForgetsInTheAverageWhatCameAfterTheSnapshot) {
  FakeEngine engine(spiking({{6, 1.f}}));
  FitOptions options = options_with(8);
  options.average = 0.5f;
  const auto stopper = make_fixed_count();
  const FitResult result = run(engine, options, *stopper);
  // Iterates 0..3 average to 2.5; 4 and 5 are forgotten, 6 never counted; then comes 7, as the
  // fourth after the first.
  EXPECT_FLOAT_EQ(pixel(result.best), (4 * 2.5f + 5 * 7.f) / 9);
}

TEST(Rollback, ToTheStartStartsTheAverageAnew) {
  FakeEngine engine(spiking({{2, 1.f}}));
  FitOptions options = options_with(4);
  options.average = 0.5f;
  const auto stopper = make_fixed_count();
  EXPECT_EQ(pixel(run(engine, options, *stopper).best), 3.f);
}

TEST(Rollback, DoesNotGoBackToAStateThatSpikes) {
  // At 4 a snapshot is due, but its loss is the spike: the state before 0 is the last good one.
  FakeEngine engine(spiking({{4, 1.f}}));
  ScriptedStopper stopper;
  run(engine, options_with(6), stopper);
  EXPECT_THAT(stopper.rewinds, ElementsAre(0));
  EXPECT_EQ(engine.log.states[5].updates, 0);
}

TEST(Rollback, KeepsAChoiceMadeBeforeTheSpike) {
  FakeEngine engine(spiking({{6, 1.f}}));
  ScriptedStopper stopper;
  stopper.best = {5};
  const FitResult result = run(engine, options_with(9), stopper);
  EXPECT_EQ(pixel(result.best), 5.f);
  EXPECT_EQ(result.best_iteration, 5);
}

TEST(Rollback, AtTheVeryEndReturnsTheLastGoodPicture) {
  FakeEngine engine(spiking({{6, 1.f}}));
  const auto stopper = make_fixed_count();
  const FitResult result = run(engine, options_with(7), *stopper);
  EXPECT_EQ(pixel(result.best), 5.f);
  EXPECT_EQ(result.best_iteration, 5);
  EXPECT_EQ(pixel(result.last), 6.f);
}

TEST(Rollback, LeavesAFallBelowTheLimitAlone) {
  const float below = 0.1f * std::pow(10.f, 0.49f), above = 0.1f * std::pow(10.f, 0.51f);
  ScriptedStopper stopper;
  FakeEngine calm(spiking({{3, below}}));
  EXPECT_EQ(run(calm, options_with(6), stopper).rollbacks, 0);
  FakeEngine wild(spiking({{3, above}}));
  EXPECT_EQ(run(wild, options_with(6), stopper).rollbacks, 1);
}

TEST(Rollback, ComparesWithThePreviousIterateAndNotWithTheBest) {
  Script script;  // 4 dB worse at every iteration
  script.loss = [](int i, int) { return 1e-6f * std::pow(10.f, 0.4f * static_cast<float>(i)); };
  FakeEngine engine(script);
  ScriptedStopper stopper;
  EXPECT_EQ(run(engine, options_with(10), stopper).rollbacks, 0);
}

TEST(Rollback, DoesNotTakeTheSnapshotsOwnLossForAnotherSpike) {
  Script script;  // 4 dB better with each update, but for one spike
  script.loss = [](int i, int updates) {
    return i == 3 ? 1.f : 0.1f * std::pow(10.f, -0.4f * static_cast<float>(updates));
  };
  FakeEngine engine(script);
  ScriptedStopper stopper;
  // At 4 the loss is that of the first iterate again, 8 dB worse than the last good one.
  EXPECT_THAT(rolled_back(run(engine, options_with(8, 100), stopper)), ElementsAre(3));
}

TEST(Rollback, UndoesSpikesAsLongAsTheSnapshotsAdvance) {
  FakeEngine engine(spiking({{5, 1.f}, {9, 1.f}, {13, 1.f}, {17, 1.f}, {21, 1.f}}));
  ScriptedStopper stopper;
  run(engine, options_with(23), stopper);
  EXPECT_THAT(stopper.rewinds, ElementsAre(4, 8, 12, 16, 20));
}

TEST(Rollback, GivesUpOnASpikeThatComesBackFromTheSameSnapshot) {
  Script script;
  script.loss = [](int, int updates) { return updates == 2 ? 1.f : 0.1f; };
  FakeEngine engine(script);
  ScriptedStopper stopper;
  const FitResult result = run(engine, options_with(40, 100), stopper);
  EXPECT_THAT(rolled_back(result), ElementsAre(2, 5, 8));
  EXPECT_GT(engine.log.states.back().updates, 2);
}

TEST(Rollback, SwitchedOffLetsSpikesPass) {
  FakeEngine engine(spiking({{3, 1.f}}));
  FitOptions options = options_with(6);
  options.rollback_db = 0.f;
  ScriptedStopper stopper;
  const FitResult result = run(engine, options, stopper);
  EXPECT_EQ(result.rollbacks, 0);
  EXPECT_THAT(engine.log.restored, IsEmpty());
  EXPECT_THAT(stopper.seen, ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(Rollback, WatchesTheFidelityAndNotThePrior) {
  const Shape picture{1, 1, 1, 2};
  ScriptedStopper stopper;
  Script prior_spikes = spiking({{3, 1.f}});
  FakeEngine calm(prior_spikes);
  EXPECT_EQ(fit(fake_problem(picture, Mse{}, true), calm, options_with(6), stopper).rollbacks, 0);
  Script fidelity_spikes;
  fidelity_spikes.fidelity = [](int i) { return i == 3 ? 1.f : 0.1f; };
  FakeEngine wild(fidelity_spikes);
  EXPECT_EQ(fit(fake_problem(picture, Mse{}, true), wild, options_with(6), stopper).rollbacks, 1);
}

TEST(Rollback, CountsAnL1LossTwice) {
  const float six_db = 2.f;  // as amplitude; as power it would be 3 dB
  const Shape picture{1, 1, 1, 2};
  ScriptedStopper stopper;
  FakeEngine l1(spiking({{3, 0.1f * six_db}}));
  EXPECT_EQ(fit(fake_problem(picture, L1{}), l1, options_with(6), stopper).rollbacks, 1);
  FakeEngine mse(spiking({{3, 0.1f * six_db}}));
  EXPECT_EQ(fit(fake_problem(picture, Mse{}), mse, options_with(6), stopper).rollbacks, 0);
}

TEST(Rollback, TakesRoundingOfAPerfectFitForNoSpike) {
  Script script;
  script.loss = [](int i, int) { return i % 2 == 0 ? 0.f : 1e-11f; };
  FakeEngine engine(script);
  ScriptedStopper stopper;
  EXPECT_EQ(run(engine, options_with(10), stopper).rollbacks, 0);
}

TEST(NotFinite, OnceIsUndone) {
  FakeEngine engine(spiking({{6, kNan}}));
  ScriptedStopper stopper;
  const FitResult result = run(engine, options_with(12), stopper);
  EXPECT_THAT(rolled_back(result), ElementsAre(6));
  EXPECT_THAT(stopper.seen, testing::Not(testing::Contains(6)));
  EXPECT_EQ(engine.log.states[7].updates, 4);
  EXPECT_EQ(result.iterations, 12);
}

std::string numeric_error(const Script& script, const FitOptions& options) {
  FakeEngine engine(script);
  ScriptedStopper stopper;
  try {
    run(engine, options, stopper);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::numeric);
    return e.what();
  }
  return "no error";
}

TEST(NotFinite, AgainWithinTheSnapshotIntervalIsAnErrorThatNamesIterationAndRate) {
  FitOptions options = options_with(20);
  options.adam.lr = 0.5f;
  EXPECT_EQ(numeric_error(spiking({{9, kNan}, {12, -kNan}}), options),
            "fit: the loss became nan at iteration 12 (learning rate 0.5); lower `lr` or try "
            "another `seed`");
  EXPECT_THAT(numeric_error(spiking({{9, kNan}, {12, kInfinity}}), options),
              testing::HasSubstr("became infinite at iteration 12"));
  EXPECT_EQ(numeric_error(spiking({{9, kNan}, {14, kNan}}), options), "no error");
}

TEST(NotFinite, AtTheFirstIterationIsAnError) {
  EXPECT_THAT(numeric_error(spiking({{0, kNan}}), options_with(5)),
              testing::HasSubstr("nan at iteration 0"));
}

TEST(NotFinite, WithoutRollbackIsAnErrorAtOnce) {
  FitOptions options = options_with(5);
  options.rollback_db = 0.f;
  EXPECT_THAT(numeric_error(spiking({{3, kNan}}), options),
              testing::HasSubstr("nan at iteration 3"));
}

}  // namespace rollback_test
}  // namespace unmar
