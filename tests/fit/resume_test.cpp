#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "error_text.h"
#include "fit/fake_engine.h"

namespace unmar {
namespace resume_test {

using testing::HasSubstr;
using StopperMaker = std::function<std::unique_ptr<Stopper>()>;

constexpr int kIterations = 40;

/// Both so short that they decide within the test.
constexpr VarianceOptions kShort{.window = 5, .alpha = 0.2f, .patience = 6, .min_start = 4};

const std::vector<std::pair<const char*, StopperMaker>> kStoppers = {
    {"fixed", [] { return make_fixed_count(); }},
    {"windowed", [] { return make_windowed_variance(kShort); }},
    {"moving", [] { return make_moving_variance(kShort); }},
};

void expect_same(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.count() * sizeof(float)), 0);
}

void expect_same(const FitResult& a, const FitResult& b) {
  expect_same(a.best, b.best);
  expect_same(a.last, b.last);
  EXPECT_EQ(a.best_iteration, b.best_iteration);
  EXPECT_EQ(a.iterations, b.iterations);
  EXPECT_EQ(a.stopped_by, b.stopped_by);
  EXPECT_EQ(a.final_loss, b.final_loss);
  EXPECT_EQ(a.rollbacks, b.rollbacks);
  ASSERT_EQ(a.history.size(), b.history.size());
  for (std::size_t i = 0; i < a.history.size(); ++i) {
    const HistoryRow &x = a.history[i], &y = b.history[i];
    EXPECT_EQ(x.iteration, y.iteration);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(x.loss), std::bit_cast<std::uint32_t>(y.loss));
    EXPECT_EQ(x.psnr, y.psnr);
    EXPECT_EQ(x.psnr_average, y.psnr_average);
    EXPECT_EQ(x.signal, y.signal);
    EXPECT_EQ(x.rolled_back, y.rolled_back);
  }
}

/// A fit of a small picture with everything on that a fit remembers.
struct Fitter {
  std::string engine = "auto";
  Optimise optimise = Optimise::weights;
  FitOptions options{.iterations = kIterations, .average = 0.9f, .rollback_every = 7};
  int channels = 8;

  FitResult run(Stopper& stopper, std::vector<std::string>* states = nullptr,
                std::string_view resume = {}) const {
    Tensor y({1, 1, 16, 16});
    for (std::size_t i = 0; i < y.count(); ++i)
      y.data()[i] = 0.5f + 0.3f * std::sin(0.37f * static_cast<float>(i * i % 101));
    ProblemOptions problem;
    problem.network =
        SkipOptions{.down = {channels, channels}, .up = {channels, channels}, .skip = {2, 2}};
    problem.input_channels = 4;
    problem.optimise = optimise;
    FitOptions with = options;
    with.resume = resume;
    const auto A = make_identity();
    return fit(make_problem(y, y.shape(), *A, problem), *make_engine(engine), with, stopper, &y,
               [&](const FitProgress& p) {
                 if (states) states->push_back(p.save());
               });
  }
};

TEST(Resume, FromAnyIterationGivesTheSameBitsAsNoBreak) {
  for (const auto& [name, make] : kStoppers) {
    SCOPED_TRACE(name);
    const Fitter fitter;
    std::vector<std::string> states;
    const FitResult whole = fitter.run(*make(), &states);
    ASSERT_EQ(states.size(), whole.history.size());
    for (std::size_t i = 0; i < states.size(); i += i < 9 ? 1 : 10)
      expect_same(fitter.run(*make(), nullptr, states[i]), whole);
    expect_same(fitter.run(*make(), nullptr, states.back()), whole);
  }
}

TEST(Resume, SavesTheSameStateAsTheFitWithoutABreak) {
  const Fitter fitter;
  std::vector<std::string> states, later;
  fitter.run(*make_windowed_variance(kShort), &states);
  fitter.run(*make_windowed_variance(kShort), &later, states[3]);
  ASSERT_GT(later.size(), 1u);
  EXPECT_EQ(later.size() + 4, states.size());
  // But for the seconds, of one size.
  EXPECT_EQ(later.front().size(), states[4].size());
}

TEST(Resume, KeepsALearnedInput) {
  for (const std::string& engine : engine_names()) {
    const Fitter fitter{.engine = engine, .optimise = Optimise::weights_and_input};
    std::vector<std::string> states;
    const FitResult whole = fitter.run(*make_fixed_count(), &states);
    expect_same(fitter.run(*make_fixed_count(), nullptr, states[17]), whole);
  }
}

TEST(Resume, WithOtherThreadsGivesTheSameBits) {
  Fitter fitter;
  fitter.options.threads = 1;
  std::vector<std::string> states;
  const FitResult whole = fitter.run(*make_fixed_count(), &states);
  fitter.options.threads = 2;
  expect_same(fitter.run(*make_fixed_count(), nullptr, states[11]), whole);
}

TEST(Resume, OfAShorterFitGoesOnAsTheLongerOne) {
  Fitter fitter;
  const FitResult whole = fitter.run(*make_fixed_count());
  fitter.options.iterations = 15;
  std::vector<std::string> states;
  fitter.run(*make_fixed_count(), &states);
  fitter.options.iterations = kIterations;
  expect_same(fitter.run(*make_fixed_count(), nullptr, states.back()), whole);
}

// Spikes right before, at and behind the snapshots of the roll-back, and losses that are no number.
TEST(Resume, AmongRollBacksGivesTheSameBits) {
  Script script;
  script.loss = [](int i, int) {
    if (i == 9 || i == 21) return std::nanf("");
    return i % 5 == 4 ? 0.9f : 0.1f;
  };
  script.pixel = [](int i) { return 0.01f * static_cast<float>(i * i % 17); };
  FitOptions options{.iterations = kIterations, .average = 0.8f, .rollback_every = 4};
  const auto run = [&](std::vector<std::string>* states) {
    FakeEngine engine(script);
    const auto stopper = make_moving_variance({.patience = 2 * kIterations, .min_start = 2});
    return fit(fake_problem(script.picture), engine, options, *stopper, nullptr,
               [&](const FitProgress& p) {
                 if (states) states->push_back(p.save());
               });
  };
  std::vector<std::string> states;
  const FitResult whole = run(&states);
  ASSERT_GT(whole.rollbacks, 4);
  for (const std::string& state : states) {
    options.resume = state;
    expect_same(run(nullptr), whole);
  }
}

TEST(Resume, OfAFitThatItsStopperEndedAddsNothing) {
  const Fitter fitter;
  std::vector<std::string> states, later;
  const FitResult whole = fitter.run(*make_moving_variance(kShort), &states);
  ASSERT_EQ(whole.stopped_by, StoppedBy::stopper);
  expect_same(fitter.run(*make_moving_variance(kShort), &later, states.back()), whole);
  EXPECT_TRUE(later.empty());
}

TEST(Resume, IntoAnotherNetworkOrStopperIsRefused) {
  Fitter fitter;
  fitter.options.iterations = 3;
  std::vector<std::string> states;
  fitter.run(*make_moving_variance(kShort), &states);
  const auto refusal = [&](Stopper& stopper) {
    return test::error_text([&] { fitter.run(stopper, nullptr, states.back()); },
                            ErrorCode::bad_input);
  };
  EXPECT_THAT(refusal(*make_fixed_count()), HasSubstr("stopper 'moving variance', this fit has"));
  fitter.channels = 6;
  EXPECT_THAT(refusal(*make_moving_variance(kShort)), HasSubstr("of another network ("));
}

TEST(Resume, FromADamagedStateIsRefusedOrRunsToItsEnd) {
  Fitter fitter;
  fitter.options.iterations = 8;
  std::vector<std::string> states;
  fitter.run(*make_windowed_variance(kShort), &states);
  const std::string& state = states[6];
  const auto outcome = [&](const std::string& bytes) {
    return test::error_text([&] { fitter.run(*make_windowed_variance(kShort), nullptr, bytes); },
                            ErrorCode::bad_input);
  };
  for (std::size_t cut = 1; cut < 300; cut += 11) {
    EXPECT_THAT(outcome(state.substr(0, cut)), HasSubstr("damaged"));
    EXPECT_THAT(outcome(state.substr(0, state.size() - cut)), HasSubstr("damaged"));
  }
  for (std::size_t at = 0; at < 300; at += 3) {
    std::string head = state, tail = state;
    head[at] = static_cast<char>(head[at] ^ 0x81);
    outcome(head);
    tail[state.size() - 1 - at] = static_cast<char>(tail[state.size() - 1 - at] ^ 0x81);
    outcome(tail);
  }
}

TEST(Resume, AStopperThatCannotBeSavedSaysSo) {
  FakeEngine engine;
  ScriptedStopper stopper;
  std::string text;
  fit(fake_problem(engine.script.picture), engine, {.iterations = 1}, stopper, nullptr,
      [&](const FitProgress& p) {
        text = test::error_text([&] { p.save(); }, ErrorCode::unsupported);
      });
  EXPECT_THAT(text, HasSubstr("'scripted': cannot be saved"));
}

}  // namespace resume_test
}  // namespace unmar
