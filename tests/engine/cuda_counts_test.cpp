#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "unmar/base/random.h"
#include "unmar/engine/engine.h"
#include "unmar/fit/fit.h"
#include "unmar/operators/operators.h"

namespace unmar::test {
namespace counts_test {

/// One iteration of a fit of the standard network: forward, backward, Adam.
std::vector<StepProfile> iteration(int size) {
  Tensor y({1, 3, size, size});
  Random(1, "y").uniform(y.values(), 0.f, 1.f);
  const auto identity = make_identity();
  const Problem problem = make_problem(y, y.shape(), *identity, {});
  const auto engine = make_engine("cuda");
  const auto program = engine->compile(problem.graph, {});
  program->start_profile();
  program->step({}, 0);
  return program->profile();
}

class Counts : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { steps_ = iteration(32); }
  static std::vector<StepProfile> steps_;
};
std::vector<StepProfile> Counts::steps_;

// A change that adds kernels shows here: is it worth their start, 2 to 3 microseconds each?
TEST_F(Counts, kernels_of_an_iteration_are_those_that_it_needs) {
  std::map<std::string, int> kernels;
  int all = 0;
  for (const StepProfile& step : steps_) {
    kernels[step.kind] += step.launches;
    all += step.launches;
  }
  EXPECT_EQ(kernels, (std::map<std::string, int>{{"activation", 2},
                                                 {"concat", 10},
                                                 {"convolution", 253},
                                                 {"jitter", 1},
                                                 {"loss", 3},
                                                 {"norm", 155},
                                                 {"optimiser", 1},
                                                 {"report", 6},
                                                 {"resampling", 12}}));
  EXPECT_EQ(all, 443);
}

// What the launches name, each once; a pass over values more, or a value that is stored though its
// reader could work it out, adds whole pictures.
TEST_F(Counts, bytes_of_an_iteration_stay_below_the_limit) {
  constexpr double kMost = 190;
  double mib = 0;
  for (const StepProfile& step : steps_) mib += static_cast<double>(step.traffic_bytes) / (1 << 20);
  EXPECT_LE(mib, kMost);
  EXPECT_GE(mib, 0.9 * kMost) << "the limit can be lowered";
}

TEST_F(Counts, every_step_that_launches_has_a_time) {
  for (const StepProfile& step : steps_) {
    EXPECT_EQ(step.launches > 0, step.forward_seconds + step.backward_seconds > 0) << step.name;
  }
}

}  // namespace counts_test
}  // namespace unmar::test
