// Two fits of one process know nothing of each other. The tsan preset runs this, too.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "unmar/fit/fit.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace parallel_test {

/// A picture and a network of its own for each number.
FitResult fit_number(int number) {
  Tensor y({1, 3, 20 + 4 * number, 24});
  for (std::size_t i = 0; i < y.count(); ++i)
    y.data()[i] = 0.5f + 0.3f * std::sin(0.37f * static_cast<float>(i % 101) + 0.1f * number);
  ProblemOptions problem;
  problem.network = SkipOptions{.down = {8, 8 + number}, .up = {8, 8 + number}, .skip = {2, 2}};
  problem.input_channels = 4;
  problem.seed = static_cast<std::uint64_t>(number);
  VarianceOptions variance;
  variance.window = 5;
  const auto stopper = make_windowed_variance(variance);
  const auto A = make_identity();
  return fit(make_problem(y, y.shape(), *A, problem), *make_engine(),
             {.iterations = 30, .threads = 2, .average = 0.9f, .rollback_every = 7}, *stopper, &y);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.count() * sizeof(float)) == 0;
}

TEST(Parallel, TwoFitsInOneProcessGiveTheBitsThatEachGivesAlone) {
  const FitResult alone[] = {fit_number(0), fit_number(1)};
  ASSERT_FALSE(same_bits(alone[0].last, alone[1].last));
  for (int round = 0; round < 3; ++round) {
    FitResult together[2];
    std::thread first([&] { together[0] = fit_number(0); });
    std::thread second([&] { together[1] = fit_number(1); });
    first.join();
    second.join();
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(same_bits(together[i].best, alone[i].best)) << i;
      EXPECT_TRUE(same_bits(together[i].last, alone[i].last)) << i;
      EXPECT_EQ(together[i].final_loss, alone[i].final_loss) << i;
    }
  }
}

}  // namespace parallel_test
}  // namespace unmar
