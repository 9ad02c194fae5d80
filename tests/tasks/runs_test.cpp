#include <algorithm>
#include <stop_token>
#include <string>
#include <vector>

#include "tasks/support.h"

namespace unmar::tasks_test {
namespace runs_test {

constexpr int kIterations = 12;

/// tiny(), the fit and nothing else: with a filter beside it all runs hide the same pixels.
RestoreOptions fit_alone(int iterations = 12) {
  RestoreOptions options = tiny(iterations);
  options.method = Method::dip;
  return options;
}

RestoreOptions several(int runs) {
  RestoreOptions options = fit_alone(kIterations);
  options.runs = runs;
  return options;
}

bool same_values(const Tensor& a, const Tensor& b) {
  return std::ranges::equal(a.values(), b.values());
}

/// The states after every iteration, counted through all runs.
std::vector<std::string> states_of(const RestoreOptions& options, Restored& whole) {
  std::vector<std::string> states;
  const auto save = [&](const FitProgress& progress) { states.push_back(progress.save()); };
  whole = denoise(test_picture(), options, {.on_iteration = save});
  return states;
}

TEST(Runs, TheResultIsTheMeanOfFitsWithTheNextSeeds) {
  const Restored mean = denoise(test_picture(), several(3));
  std::vector<Tensor> singles;
  for (int run = 0; run < 3; ++run) {
    RestoreOptions options = fit_alone(kIterations);
    options.seed = 3 + run;
    singles.push_back(denoise(test_picture(), options).fit.best);
  }
  EXPECT_FALSE(same_values(singles[0], singles[1]));
  for (std::size_t i = 0; i < mean.fit.best.count(); ++i) {
    const float sum = singles[0].data()[i] + singles[1].data()[i] + singles[2].data()[i];
    ASSERT_NEAR(mean.fit.best.data()[i], sum / 3, 1e-6f) << i;
  }
  EXPECT_EQ(mean.fit.runs, 3);
}

TEST(Runs, OneRunIsTheFitItself) {
  const Restored one = denoise(test_picture(), several(1)),
                 plain = denoise(test_picture(), fit_alone());
  EXPECT_TRUE(same_values(one.fit.best, plain.fit.best));
  EXPECT_EQ(one.fit.runs, 1);
}

TEST(Runs, AreToldAsOneLongFit) {
  std::vector<int> iterations, runs, bounds;
  const auto note = [&](const FitProgress& progress) {
    iterations.push_back(progress.row.iteration);
    runs.push_back(progress.part);
    bounds.push_back(progress.iterations);
    EXPECT_EQ(progress.parts, 2);
  };
  const Restored result = denoise(test_picture(), several(2), {.on_iteration = note});
  ASSERT_EQ(result.fit.iterations, 2 * kIterations);
  ASSERT_EQ(result.fit.history.size(), iterations.size());
  for (int i = 0; i < 2 * kIterations; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(iterations[at], i);
    EXPECT_EQ(result.fit.history[at].iteration, i);
    EXPECT_EQ(runs[at], i / kIterations);
    EXPECT_EQ(bounds[at], 2 * kIterations);
  }
  EXPECT_EQ(result.fit.best_iteration, 2 * kIterations - 1);
}

RestoreOptions stopping(StopRule rule) {
  RestoreOptions options = fit_alone(200);
  options.runs = 3;
  options.stop = rule;
  options.window = 5;
  options.patience = 5;
  options.min_start = 5;
  options.held_out = 0.1;
  options.average_decay = 0.5;
  return options;
}

/// There is something that the network had better not learn.
Image noisy_picture() { return simulate(test_picture(), {.sigma = 0.1f, .seed = 1}).image; }

TEST(Runs, TheOthersEndWhereTheFirstOneChoseAndHideNothing) {
  for (const StopRule rule : {StopRule::wmv, StopRule::held_out}) {
    const RestoreOptions options = stopping(rule);
    std::vector<int> ends(3), bounds;
    const auto note = [&](const FitProgress& progress) {
      ends[static_cast<std::size_t>(progress.part)] = progress.row.iteration + 1;
      bounds.push_back(progress.iterations);
    };
    const Restored result = denoise(noisy_picture(), options, {.on_iteration = note});
    RestoreOptions first = options;
    first.runs = 1;
    const Restored alone = denoise(noisy_picture(), first);
    ASSERT_LT(alone.fit.iterations, 200) << "the rule ends nothing: this tests nothing";
    const int moment = alone.fit.best_iteration + 1;
    EXPECT_EQ(ends[0], alone.fit.iterations);
    EXPECT_EQ(ends[1], ends[0] + moment);
    EXPECT_EQ(ends[2], ends[1] + moment);
    EXPECT_EQ(bounds.front(), 3 * 200);
    EXPECT_EQ(bounds.back(), result.fit.iterations);
    EXPECT_EQ(result.fit.stopped_by, StoppedBy::stopper);

    Tensor sum = alone.fit.best;
    for (int run = 1; run < 3; ++run) {
      RestoreOptions other = fit_alone(moment);
      other.seed = *options.seed + run;
      other.average_decay = options.average_decay;
      const Restored one = denoise(noisy_picture(), other);
      for (std::size_t i = 0; i < sum.count(); ++i) sum.data()[i] += one.fit.best.data()[i];
    }
    for (std::size_t i = 0; i < sum.count(); ++i)
      ASSERT_NEAR(result.fit.best.data()[i], sum.data()[i] / 3, 1e-6f) << i;
  }
}

TEST(Runs, ACancelledOneIsLeftOutUnlessItIsTheFirst) {
  const auto cancelled_after = [](int iterations) {
    std::stop_source source;
    const auto count = [&](const FitProgress& progress) {
      if (progress.row.iteration + 1 == iterations) source.request_stop();
    };
    return denoise(test_picture(), several(3),
                   {.on_iteration = count, .cancel = source.get_token()});
  };
  const Restored in_second = cancelled_after(kIterations + 4);
  EXPECT_EQ(in_second.fit.stopped_by, StoppedBy::cancelled);
  EXPECT_EQ(in_second.fit.runs, 1);
  EXPECT_EQ(in_second.fit.iterations, kIterations + 4);
  EXPECT_TRUE(same_values(in_second.fit.best, denoise(test_picture(), fit_alone()).fit.best));
  const Restored between = cancelled_after(kIterations);
  EXPECT_EQ(between.fit.stopped_by, StoppedBy::cancelled);
  EXPECT_EQ(between.fit.runs, 1);
  EXPECT_EQ(between.fit.iterations, kIterations);
  EXPECT_TRUE(same_values(between.fit.best, in_second.fit.best));
  const Restored in_first = cancelled_after(4);
  EXPECT_EQ(in_first.fit.stopped_by, StoppedBy::cancelled);
  EXPECT_TRUE(same_values(in_first.fit.best, denoise(test_picture(), fit_alone(4)).fit.best));
}

TEST(Runs, ResumedInAnyOfThemGiveTheSameBits) {
  Restored whole;
  const std::vector<std::string> states = states_of(several(2), whole);
  for (const std::size_t at : {std::size_t{4}, std::size_t{kIterations - 1},
                               std::size_t{kIterations + 3}, states.size() - 1}) {
    const Restored resumed = denoise(test_picture(), several(2), {.resume = states[at]});
    EXPECT_TRUE(same_values(resumed.fit.best, whole.fit.best)) << at;
    EXPECT_EQ(resumed.fit.best_iteration, whole.fit.best_iteration) << at;
    ASSERT_EQ(resumed.fit.history.size(), whole.fit.history.size()) << at;
    for (std::size_t i = 0; i < whole.fit.history.size(); ++i)
      EXPECT_EQ(resumed.fit.history[i].loss, whole.fit.history[i].loss) << at << " " << i;
  }
}

TEST(Runs, ResumedBehindTheFirstKnowWhereItEnded) {
  Restored whole;
  const std::vector<std::string> states = states_of(stopping(StopRule::wmv), whole);
  const std::size_t second = states.size() * 2 / 3;
  const Restored resumed =
      denoise(test_picture(), stopping(StopRule::wmv), {.resume = states[second]});
  EXPECT_TRUE(same_values(resumed.fit.best, whole.fit.best));
  EXPECT_EQ(resumed.fit.iterations, whole.fit.iterations);
  EXPECT_EQ(resumed.fit.stopped_by, whole.fit.stopped_by);
}

TEST(Runs, AStateOfMoreRunsOrCutShortIsRefused) {
  Restored whole;
  const std::vector<std::string> states = states_of(several(2), whole);
  const auto resume = [](int runs, const std::string& state) {
    return error_of([&] { denoise(test_picture(), several(runs), {.resume = state}); },
                    ErrorCode::bad_input);
  };
  EXPECT_THAT(resume(1, states.back()), testing::HasSubstr("`runs`"));
  EXPECT_NE(resume(2, states.back().substr(0, 40)), "");
  EXPECT_NE(resume(2, states.back() + "more"), "");
}

}  // namespace runs_test
}  // namespace unmar::tasks_test
