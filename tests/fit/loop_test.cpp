#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stop_token>
#include <string>
#include <vector>

#include "error_text.h"
#include "fit/fake_engine.h"
#include "unmar/base/error.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace loop_test {

using testing::ElementsAre;
using testing::HasSubstr;

// A running average of small numbers, in float on one side and double on the other.
constexpr double kFloatRounding = 1e-5;

FitOptions plain(int iterations) {
  FitOptions options;
  options.iterations = iterations;
  options.average = 0.f;
  options.rollback_db = 0.f;
  return options;
}

FitResult run(FakeEngine& engine, const FitOptions& options, Stopper& stopper,
              const std::function<void(const FitProgress&)>& on_iteration = {},
              std::stop_token cancel = {}) {
  return fit(fake_problem(engine.script.picture), engine, options, stopper, nullptr, on_iteration,
             std::move(cancel));
}

template <class Call>
void expect_cancelled(const Call& call) {
  try {
    call();
    ADD_FAILURE() << "it ended with a picture";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled) << error.what();
  }
}

float pixel(const Tensor& picture) { return picture.data()[0]; }

TEST(Loop, RunsEveryIterationOnceAndTellsItsLoss) {
  FakeEngine engine({.loss = [](int i, int) { return 1.f / static_cast<float>(i + 1); }});
  FitOptions options = plain(5);
  options.seed = 42;
  options.threads = 3;
  const auto stopper = make_fixed_count();
  const FitResult result = run(engine, options, *stopper);
  EXPECT_THAT(engine.log.iterations, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(engine.log.options.seed, 42u);
  EXPECT_EQ(engine.log.options.threads, 3);
  ASSERT_EQ(result.history.size(), 5u);
  for (int i = 0; i < 5; ++i) {
    const HistoryRow& row = result.history[static_cast<std::size_t>(i)];
    EXPECT_EQ(row.iteration, i);
    EXPECT_EQ(row.loss, 1.f / static_cast<float>(i + 1));
    EXPECT_FALSE(row.psnr || row.psnr_average || row.signal || row.rolled_back);
  }
  EXPECT_EQ(result.iterations, 5);
  EXPECT_EQ(result.stopped_by, StoppedBy::iterations);
  EXPECT_EQ(result.final_loss, 0.2f);
  EXPECT_EQ(result.memory_bytes, 4321u);
  EXPECT_EQ(result.rollbacks, 0);
}

TEST(Loop, WithAFixedCountReturnsTheLastPicture) {
  FakeEngine engine;
  const auto stopper = make_fixed_count();
  const FitResult result = run(engine, plain(4), *stopper);
  EXPECT_EQ(pixel(result.best), 3.f);
  EXPECT_EQ(pixel(result.last), 3.f);
  EXPECT_EQ(result.best_iteration, 3);
}

TEST(Loop, AveragesFromTheFirstIterateOn) {
  FakeEngine engine({.pixel = [](int i) { return static_cast<float>(i * i) + 1.f; }});
  FitOptions options = plain(6);
  options.average = 0.9f;
  const auto stopper = make_fixed_count();
  double expected = 0;
  int calls = 0;
  const FitResult result = run(engine, options, *stopper, [&](const FitProgress& p) {
    const int i = p.row.iteration;
    const double iterate = i * i + 1, decay = std::min(0.9, i / (i + 5.));
    expected = decay * expected + (1 - decay) * iterate;
    EXPECT_NEAR(pixel(p.average), expected, kFloatRounding * expected);
    EXPECT_EQ(pixel(p.restored), static_cast<float>(iterate));
    ++calls;
  });
  EXPECT_EQ(calls, 6);
  EXPECT_NEAR(pixel(result.best), expected, kFloatRounding * expected);
  EXPECT_EQ(pixel(result.last), 26.f);
}

TEST(Loop, ReturnsThePictureOfTheChosenIterationAndNotTheLast) {
  FakeEngine engine;
  ScriptedStopper stopper;
  stopper.best = {2, 3, 5};
  std::vector<int> best_so_far;
  const FitResult result = run(engine, plain(9), stopper, [&](const FitProgress& p) {
    best_so_far.push_back(p.best_iteration);
    EXPECT_TRUE(p.average.empty());
    EXPECT_EQ(p.iterations, 9);
  });
  EXPECT_EQ(pixel(result.best), 5.f);
  EXPECT_EQ(result.best_iteration, 5);
  EXPECT_EQ(pixel(result.last), 8.f);
  // Until the stopper chooses, the latest counts.
  EXPECT_THAT(best_so_far, ElementsAre(0, 1, 2, 3, 3, 5, 5, 5, 5));
}

TEST(Loop, ReturnsTheAverageAsItWasAtTheChosenIteration) {
  FakeEngine engine;
  FitOptions options = plain(8);
  options.average = 0.5f;
  ScriptedStopper stopper;
  stopper.best = {1, 4};
  float average_at_4 = 0;
  const FitResult result = run(engine, options, stopper, [&](const FitProgress& p) {
    if (p.row.iteration == 4) average_at_4 = pixel(p.average);
  });
  EXPECT_EQ(pixel(result.best), average_at_4);
  EXPECT_FLOAT_EQ(pixel(result.best), 5 * 4 / 6.f);  // of 0..4
}

TEST(Loop, ReturnsTheLatestPictureIfTheStopperNeverChose) {
  FakeEngine engine;
  ScriptedStopper stopper;
  const FitResult result = run(engine, plain(4), stopper);
  EXPECT_EQ(pixel(result.best), 3.f);
  EXPECT_EQ(result.best_iteration, 3);
}

TEST(Loop, EndsWhenTheStopperSaysSo) {
  FakeEngine engine;
  ScriptedStopper stopper;
  stopper.best = {3};
  stopper.stop_at = 6;
  const FitResult result = run(engine, plain(100), stopper);
  EXPECT_EQ(result.stopped_by, StoppedBy::stopper);
  EXPECT_EQ(result.iterations, 7);
  EXPECT_EQ(pixel(result.best), 3.f);
  EXPECT_EQ(result.history[4].signal, 40.0);
}

TEST(Loop, CancelledBeforeItStartsThereIsNoPicture) {
  FakeEngine engine;
  const auto stopper = make_fixed_count();
  std::stop_source source;
  source.request_stop();
  bool told = false;
  expect_cancelled([&] {
    run(
        engine, plain(10), *stopper, [&](const auto&) { told = true; }, source.get_token());
  });
  EXPECT_FALSE(told);
  EXPECT_THAT(engine.log.iterations, testing::IsEmpty());
}

TEST(Loop, CancelledInTheMiddleReturnsTheBestSoFar) {
  FakeEngine engine;
  ScriptedStopper stopper;
  stopper.best = {2};
  std::stop_source source;
  const FitResult result = run(
      engine, plain(10), stopper,
      [&](const FitProgress& p) {
        if (p.row.iteration == 4) source.request_stop();
      },
      source.get_token());
  EXPECT_EQ(result.stopped_by, StoppedBy::cancelled);
  EXPECT_EQ(result.iterations, 5);
  EXPECT_EQ(pixel(result.best), 2.f);
  EXPECT_EQ(pixel(result.last), 4.f);
}

TEST(Loop, CancelledWithinAnIterationReturnsTheBestBeforeIt) {
  std::stop_source source;
  FakeEngine engine({.during = [&](int i) {
    if (i == 4) source.request_stop();
  }});
  FitOptions options = plain(10);
  options.average = 0.5f;
  options.rollback_db = 5.f;
  options.return_state = true;
  const auto stopper = make_fixed_count();
  std::vector<int> told, told_again;
  const FitResult result = run(
      engine, options, *stopper,
      [&](const FitProgress& p) { (p.cancelled ? told_again : told).push_back(p.row.iteration); },
      source.get_token());
  EXPECT_THAT(engine.log.iterations, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(result.stopped_by, StoppedBy::cancelled);
  EXPECT_EQ(result.iterations, 4);
  EXPECT_EQ(result.history.size(), 4u);
  EXPECT_THAT(told, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(told_again, ElementsAre(3));
  EXPECT_EQ(result.best_iteration, 3);
  EXPECT_FLOAT_EQ(pixel(result.best), 5 * 3 / 6.f);  // of 0..3
  EXPECT_EQ(pixel(result.last), 3.f);
  EXPECT_EQ(result.state.updates, 4);
}

TEST(Loop, CancelledWithinItsFirstIterationThereIsNoPicture) {
  std::stop_source source;
  FakeEngine engine({.during = [&](int) { source.request_stop(); }});
  const auto stopper = make_fixed_count();
  expect_cancelled([&] { run(engine, plain(10), *stopper, {}, source.get_token()); });
  EXPECT_THAT(engine.log.iterations, ElementsAre(0));
}

TEST(Loop, CancelledDuringItsLastIterationHasDoneAllOfThem) {
  FakeEngine engine;
  const auto stopper = make_fixed_count();
  std::stop_source source;
  const FitResult result = run(
      engine, plain(3), *stopper,
      [&](const FitProgress& p) {
        if (p.row.iteration == 2) source.request_stop();
      },
      source.get_token());
  EXPECT_EQ(result.stopped_by, StoppedBy::iterations);
  EXPECT_EQ(result.iterations, 3);
}

TEST(Loop, MeasuresIterateAndAverageAgainstTheReferenceWithoutClamping) {
  FakeEngine engine({.pixel = [](int i) { return i == 0 ? 0.5f : 1.5f; }});
  FitOptions options = plain(2);
  options.average = 0.5f;
  const auto stopper = make_fixed_count();
  const Tensor reference(engine.script.picture, 1.f);
  const FitResult result =
      fit(fake_problem(engine.script.picture), engine, options, *stopper, &reference);
  const double six_db = 10 * std::log10(4.0);  // an error of one half
  EXPECT_NEAR(result.history[0].psnr.value(), six_db, kFloatRounding);
  EXPECT_NEAR(result.history[1].psnr.value(), six_db, kFloatRounding);
  EXPECT_NEAR(result.history[0].psnr_average.value(), six_db, kFloatRounding);
  const double third = 10 * std::log10(9.0);  // 0.5 / 6 + 1.5 * 5 / 6 is an error of a third
  EXPECT_NEAR(result.history[1].psnr_average.value(), third, kFloatRounding);
}

TEST(Loop, WithoutAveragingHasNoPsnrOfAnAverage) {
  FakeEngine engine;
  const auto stopper = make_fixed_count();
  const Tensor reference(engine.script.picture, 9.f);
  const FitResult result =
      fit(fake_problem(engine.script.picture), engine, plain(2), *stopper, &reference);
  EXPECT_TRUE(result.history[1].psnr);
  EXPECT_FALSE(result.history[1].psnr_average);
}

TEST(Loop, HandlesBatchesOfAnyNumberOfChannels) {
  FakeEngine engine({.picture = {2, 5, 3, 1}});
  FitOptions options = plain(3);
  options.average = 0.5f;
  const auto stopper = make_fixed_count();
  const Tensor reference(engine.script.picture, 2.f);
  const FitResult result =
      fit(fake_problem(engine.script.picture), engine, options, *stopper, &reference);
  EXPECT_EQ(result.best.shape(), (Shape{2, 5, 3, 1}));
  for (const float v : result.best.values()) EXPECT_FLOAT_EQ(v, 5 * 2 / 6.f);
}

TEST(Loop, WhatACallbackThrowsEndsTheFit) {
  FakeEngine engine;
  const auto stopper = make_fixed_count();
  EXPECT_THROW(run(engine, plain(5), *stopper, [](const FitProgress&) { throw 1; }), int);
  EXPECT_THAT(engine.log.iterations, ElementsAre(0));
}

std::string error_of(const FitOptions& options, const Tensor* reference = nullptr) {
  FakeEngine engine;
  const auto stopper = make_fixed_count();
  try {
    fit(fake_problem(engine.script.picture), engine, options, *stopper, reference);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_argument);
    return e.what();
  }
  return "no error";
}

TEST(Loop, NamesOptionsOutOfRange) {
  const auto with = [](auto change) {
    FitOptions options = plain(3);
    change(options);
    return error_of(options);
  };
  EXPECT_EQ(with([](auto&) {}), "no error");
  EXPECT_EQ(with([](auto& o) { o.iterations = 0; }), "fit: iterations must be at least 1, got 0");
  EXPECT_THAT(with([](auto& o) { o.adam.lr = 0; }), HasSubstr("learning rate"));
  EXPECT_THAT(with([](auto& o) { o.adam.lr = std::nanf(""); }), HasSubstr("learning rate"));
  EXPECT_THAT(with([](auto& o) { o.average = 1.f; }), HasSubstr("average must be in [0,1), got 1"));
  EXPECT_THAT(with([](auto& o) { o.rollback_db = -1.f; }), HasSubstr("rollback_db"));
  EXPECT_THAT(with([](auto& o) { o.rollback_every = 0; }), HasSubstr("rollback_every"));
}

TEST(Loop, NamesTheOpsThatTheEngineLacks) {
  FakeEngine engine;
  engine.lacks = {"fidelity"};
  const auto stopper = make_fixed_count();
  EXPECT_EQ(test::error_text([&] { run(engine, plain(1), *stopper); }, ErrorCode::unsupported),
            "engine 'fake': it cannot run 'fidelity' (mse); use another engine");
  engine.lacks.clear();
  FitOptions options = plain(1);
  options.device = "fake";
  run(engine, options, *stopper);
  EXPECT_EQ(engine.log.options.device, "fake");
  options.device = "cuda:3";
  EXPECT_THAT(test::error_text([&] { run(engine, options, *stopper); }),
              HasSubstr("device must be one of fake, got 'cuda:3'"));
}

TEST(Loop, RefusesAReferenceOfAnotherSize) {
  const Tensor reference({1, 1, 2, 2});
  EXPECT_THAT(error_of(plain(1), &reference), HasSubstr("the reference is [1,1,2,2]"));
}

FitResult run_keeping(Keep keep, FakeEngine& engine, float average = 0.5f) {
  FitOptions options = plain(6);
  options.average = average;
  options.keep = keep;
  ScriptedStopper stopper;
  stopper.best = {1, 3};
  return run(engine, options, stopper);
}

TEST(Keep, BestIsTheChosenIterateWithoutAveraging) {
  FakeEngine engine;
  const FitResult result = run_keeping(Keep::best, engine);
  EXPECT_EQ(pixel(result.best), 3.f);
  EXPECT_EQ(result.best_iteration, 3);
}

TEST(Keep, LastIsTheLastIterateWhateverWasChosen) {
  FakeEngine engine;
  const FitResult result = run_keeping(Keep::last, engine);
  EXPECT_EQ(pixel(result.best), 5.f);
  EXPECT_EQ(result.best_iteration, 5);
}

TEST(Keep, LastIsNoIterateThatWasRolledBack) {
  FakeEngine engine({.loss = [](int i, int) { return i == 5 ? 9.f : 0.1f; }});
  FitOptions options = plain(6);
  options.rollback_db = 5.f;
  options.keep = Keep::last;
  const auto stopper = make_fixed_count();
  const FitResult result = run(engine, options, *stopper);
  ASSERT_EQ(result.rollbacks, 1);
  EXPECT_EQ(pixel(result.best), 4.f);
  EXPECT_EQ(pixel(result.last), 5.f);
}

TEST(Keep, AverageIsTheIterateIfAveragingIsOff) {
  FakeEngine engine;
  EXPECT_EQ(pixel(run_keeping(Keep::average, engine, 0.f).best), 3.f);
}

TEST(Loop, ReturnsTheStateAfterTheChosenIteration) {
  for (const int chosen : {2, 5}) {  // 5 is the last
    FakeEngine engine;
    FitOptions options = plain(6);
    options.return_state = options.return_chosen_state = true;
    ScriptedStopper stopper;
    stopper.best = {0, chosen};
    const FitResult result = run(engine, options, stopper);
    EXPECT_EQ(result.chosen_state.updates, chosen + 1);
    EXPECT_EQ(result.state.updates, 6);
    const TrainState& after =
        chosen == 5 ? result.state : engine.log.states[static_cast<std::size_t>(chosen) + 1];
    EXPECT_TRUE(
        std::ranges::equal(result.chosen_state.params[1].values(), after.params[1].values()));
  }
}

TEST(Loop, WithoutBeingAskedReturnsNoState) {
  FakeEngine engine;
  EXPECT_TRUE(run_keeping(Keep::best, engine).chosen_state.params.empty());
}

TEST(Watchers, AreRecordedAndChangeNothing) {
  FakeEngine engine;
  FitOptions options = plain(8);
  ScriptedStopper watcher, idle;
  watcher.best = {2, 3, 6};
  watcher.stop_at = 4;
  options.watchers = {{"early", &watcher}, {"idle", &idle}};
  const auto stopper = make_fixed_count();
  const FitResult result = run(engine, options, *stopper);
  EXPECT_EQ(result.iterations, 8);
  EXPECT_EQ(result.best_iteration, 7);
  ASSERT_EQ(result.watched.size(), 2u);
  EXPECT_EQ(result.watched[0].name, "early");
  EXPECT_EQ(result.watched[0].best_iteration, 3) << "what comes after its stop does not count";
  EXPECT_EQ(result.watched[0].stopped_at, 4);
  EXPECT_EQ(result.watched[1].best_iteration, -1);
  EXPECT_EQ(result.watched[1].stopped_at, -1);
  std::vector<int> best;
  for (const HistoryRow& row : result.history) {
    ASSERT_EQ(row.watched.size(), 2u);
    best.push_back(row.watched[0].best);
    EXPECT_EQ(row.watched[0].stopped, row.iteration >= 4) << row.iteration;
    EXPECT_EQ(row.watched[0].signal, 10.0 * row.iteration);
  }
  EXPECT_THAT(best, ElementsAre(-1, -1, 2, 3, 3, 3, 3, 3));
}

TEST(Watchers, AreToldOfRollbacks) {
  FakeEngine engine({.loss = [](int i, int) { return i == 3 ? 9.f : 0.1f; }});
  FitOptions options = plain(6);
  options.rollback_db = 5.f;
  ScriptedStopper watcher;
  watcher.best = {1};
  options.watchers = {{"w", &watcher}};
  const auto stopper = make_fixed_count();
  const FitResult result = run(engine, options, *stopper);
  EXPECT_THAT(watcher.seen, ElementsAre(0, 1, 2, 4, 5));
  EXPECT_EQ(watcher.rewinds.size(), 1u);
  EXPECT_FALSE(result.history[3].watched[0].signal);
  EXPECT_EQ(result.history[3].watched[0].best, 1);
}

/// Wants a probe of every third iteration.
class Prober final : public Stopper {
 public:
  std::string name() const override { return "prober"; }
  bool wants_probe(int i) const override { return i % 3 == 0; }
  void probe(const Tensor& out, const Tensor& input) override {
    probed.push_back(observed);
    EXPECT_FALSE(out.empty());
    EXPECT_EQ(pixel(input), static_cast<float>(observed));
  }
  Verdict observe(const Iterate& iterate) override {
    observed = iterate.iteration + 1;
    return {};
  }
  void rewind(int) override {}

  int observed = 0;
  std::vector<int> probed;
};

TEST(Loop, ProbesBeforeItAsksIfTheProblemKeepsItsInput) {
  for (const bool keeps : {true, false}) {
    FakeEngine engine;
    Problem problem = fake_problem(engine.script.picture);
    if (keeps) problem.input = problem.restored;
    Prober prober, watcher;
    FitOptions options = plain(7);
    options.watchers = {{"w", &watcher}};
    fit(problem, engine, options, prober);
    const std::vector<int> expected = keeps ? std::vector<int>{0, 3, 6} : std::vector<int>{};
    EXPECT_EQ(prober.probed, expected);
    EXPECT_EQ(watcher.probed, expected);
  }
}

TEST(StoppedBy, HasANameForEveryReason) {
  EXPECT_STREQ(to_string(StoppedBy::iterations), "iterations");
  EXPECT_STREQ(to_string(StoppedBy::stopper), "stopper");
  EXPECT_STREQ(to_string(StoppedBy::cancelled), "cancelled");
}

}  // namespace loop_test
}  // namespace unmar
