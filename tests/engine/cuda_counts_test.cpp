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

/// A fit of the standard network.
Problem standard(int size) {
  static const auto identity = make_identity();
  Tensor y({1, 3, size, size});
  Random(1, "y").uniform(y.values(), 0.f, 1.f);
  return make_problem(y, y.shape(), *identity, {});
}

/// One iteration: forward, backward, Adam.
std::vector<StepProfile> iteration(int size, Precision precision) {
  const Problem problem = standard(size);
  const auto engine = make_engine("cuda");
  const auto program = engine->compile(problem.graph, {.precision = precision});
  program->start_profile();
  program->step({}, 0);
  return program->profile();
}

double mebibytes(const std::vector<StepProfile>& steps) {
  double bytes = 0;
  for (const StepProfile& step : steps) bytes += static_cast<double>(step.traffic_bytes);
  return bytes / (1 << 20);
}

class Counts : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { steps_ = iteration(32, Precision::tf32); }
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
                                                 {"convolution", 203},
                                                 {"jitter", 1},
                                                 {"loss", 3},
                                                 {"norm", 120},
                                                 {"optimiser", 1},
                                                 {"report", 6},
                                                 {"resampling", 12}}));
  EXPECT_EQ(all, 358);
}

// What the launches name, each once; a pass over values more, or a value that is stored though its
// reader could work it out, adds whole pictures.
TEST_F(Counts, bytes_of_an_iteration_stay_below_the_limit) {
  constexpr double kMost = 175;
  EXPECT_LE(mebibytes(steps_), kMost);
  EXPECT_GE(mebibytes(steps_), 0.9 * kMost) << "the limit can be lowered";
}

// bf16 stores pictures between layers, and factors, in half of the bytes. Parameters stay fp32.
// 4 megapixels: what the CPU's engine needs, and a tenth more.
TEST(Storage, of_a_large_picture_is_not_far_above_that_of_the_cpu) {
  const Problem problem = standard(2048);
  const auto needed = [&](const char* engine, Precision precision) {
    return static_cast<double>(
        make_engine(engine)->memory_needed(problem.graph, {.precision = precision}));
  };
  const double cpu = needed("cpu", Precision::fp32);
  EXPECT_LE(needed("cuda", Precision::tf32), 1.1 * cpu);
  EXPECT_LE(needed("cuda", Precision::bf16), 0.75 * cpu);
}

TEST(Storage, of_bf16_is_little_more_than_half_in_memory_and_traffic) {
  const Problem problem = standard(256);
  const auto engine = make_engine("cuda");
  const auto measure = [&](Precision precision) {
    const auto program = engine->compile(problem.graph, {.precision = precision});
    program->start_profile();
    return std::pair{static_cast<double>(program->memory_bytes()), mebibytes(program->profile())};
  };
  const auto [tf32_memory, tf32_traffic] = measure(Precision::tf32);
  const auto [bf16_memory, bf16_traffic] = measure(Precision::bf16);
  EXPECT_LT(bf16_memory, 0.6 * tf32_memory);
  EXPECT_LT(bf16_traffic, 0.6 * tf32_traffic);
}

TEST_F(Counts, every_step_that_launches_has_a_time) {
  for (const StepProfile& step : steps_) {
    EXPECT_EQ(step.launches > 0, step.forward_seconds + step.backward_seconds > 0) << step.name;
  }
}

}  // namespace counts_test
}  // namespace unmar::test
