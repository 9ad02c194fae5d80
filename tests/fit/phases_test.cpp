#include "unmar/fit/phases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "fit/fake_engine.h"
#include "unmar/base/error.h"

namespace unmar {
namespace phases_test {

constexpr int kIterations = 4, kFits = 3, kAttempts = 3;

/// Fits of a script, some of which diverge.
struct List {
  std::set<std::pair<int, int>> diverging = {};  ///< fit, attempt: in their third iteration
  std::vector<std::pair<int, int>> called = {};
  std::vector<int> told = {};  ///< iterations
  std::vector<std::string> states = {};
  int attempts = kAttempts;

  FitPartFunction fit_part() {
    return [this](const FitPart& part, const auto& on_iteration, std::string_view state) {
      called.emplace_back(part.fit, part.attempt);
      FakeEngine engine;
      const bool diverges = diverging.contains({part.fit, part.attempt});
      engine.script.loss = [diverges](int i, int) {
        return diverges && i >= 2 ? std::numeric_limits<float>::infinity() : 0.1f;
      };
      engine.script.pixel = [&part](int) { return static_cast<float>(part.fit); };
      FitOptions options{.iterations = kIterations, .resume = state};
      const auto stopper = make_fixed_count();
      return fit(fake_problem(engine.script.picture), engine, options, *stopper, nullptr,
                 on_iteration);
    };
  }

  FitResult run(std::string_view resume = {}) {
    const FitPhase phase{.fits = kFits, .iterations = kIterations, .attempts = attempts};
    const auto note = [this](const FitProgress& p) {
      told.push_back(p.row.iteration);
      states.push_back(p.save());
    };
    return fit_phases({&phase, 1}, fit_part(), note, resume);
  }
};

std::vector<int> rolled_back(const FitResult& result) {
  std::vector<int> rows;
  for (const HistoryRow& row : result.history)
    if (row.rolled_back) rows.push_back(row.iteration);
  return rows;
}

TEST(Phases, AFitThatDivergesIsTriedAgain) {
  List list{.diverging = {{1, 0}, {1, 1}}};
  const FitResult result = list.run();
  EXPECT_THAT(list.called, testing::ElementsAre(std::pair(0, 0), std::pair(1, 0), std::pair(1, 1),
                                                std::pair(1, 2), std::pair(2, 0)));
  // Of each that diverged two iterations were told, and one that was undone.
  constexpr int kAll = kFits * kIterations + 2 * 3;
  EXPECT_EQ(result.iterations, kAll);
  ASSERT_EQ(result.history.size(), static_cast<std::size_t>(kAll));
  for (int i = 0; i < kAll; ++i) {
    EXPECT_EQ(result.history[static_cast<std::size_t>(i)].iteration, i);
    EXPECT_EQ(list.told[static_cast<std::size_t>(i)], i);
  }
  EXPECT_THAT(rolled_back(result), testing::ElementsAre(4, 5, 6, 7, 8, 9));
  EXPECT_EQ(result.best.data()[0], 1.f);  // the mean of 0, 1 and 2
  EXPECT_EQ(result.parts.size(), static_cast<std::size_t>(kFits));
}

TEST(Phases, AFitThatAlwaysDivergesEndsTheList) {
  List list{.diverging = {{1, 0}, {1, 1}, {1, 2}}};
  try {
    list.run();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::numeric);
  }
  EXPECT_EQ(list.called.size(), 4u);
  List once{.diverging = {{0, 0}}, .attempts = 1};
  EXPECT_THROW(once.run(), Error);
  EXPECT_EQ(once.called.size(), 1u);
}

TEST(Phases, ResumedInAnyIterationTheAttemptsAreTheSame) {
  const std::set<std::pair<int, int>> diverging = {{0, 0}, {2, 0}, {2, 1}};
  List whole{.diverging = diverging};
  const FitResult expected = whole.run();
  for (const std::string& state : whole.states) {
    List list{.diverging = diverging};
    const FitResult result = list.run(state);
    EXPECT_EQ(result.iterations, expected.iterations);
    EXPECT_EQ(rolled_back(result), rolled_back(expected));
    EXPECT_EQ(result.history.size(), expected.history.size());
    EXPECT_EQ(result.best.data()[0], expected.best.data()[0]);
    EXPECT_EQ(list.called.back(), whole.called.back());
  }
}

TEST(Phases, WhatAnObserverThrowsIsNoDivergence) {
  List list;
  const FitPhase phase{.iterations = kIterations, .attempts = kAttempts};
  int told = 0;
  const auto refuse = [&](const FitProgress&) {
    ++told;
    throw Error(ErrorCode::numeric, "of the observer");
  };
  EXPECT_THROW(fit_phases({&phase, 1}, list.fit_part(), refuse), Error);
  EXPECT_EQ(told, 1);
}

TEST(Phases, AStateOfAnAttemptThatTheListDoesNotAllowIsRefused) {
  List list{.diverging = {{0, 0}, {0, 1}}};
  list.run();
  List fewer{.attempts = 1};
  EXPECT_THROW(fewer.run(list.states[6]), Error);  // of the third
  EXPECT_NO_THROW(fewer.run(list.states[0]));
}

}  // namespace phases_test
}  // namespace unmar
