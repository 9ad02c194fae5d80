#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "graph/reduce_taps.h"

namespace unmar {
namespace {

using ::testing::ElementsAre;

constexpr ReduceKernel kKernels[] = {ReduceKernel::lanczos2, ReduceKernel::lanczos3,
                                     ReduceKernel::bicubic, ReduceKernel::box};
constexpr int kFactors[] = {1, 2, 3, 4, 5, 8, 16};

template <class Check>
void for_each_kernel(Check check) {
  for (const ReduceKernel kernel : kKernels)
    for (const int factor : kFactors) {
      SCOPED_TRACE(::testing::Message()
                   << "kernel " << static_cast<int>(kernel) << " factor " << factor);
      check(reduce_taps(kernel, factor), factor);
    }
}

TEST(ReduceTaps, sum_to_1) {
  for_each_kernel([](const ReduceTaps& t, int) {
    // Each of up to 96 taps is rounded to a float.
    EXPECT_NEAR(std::accumulate(t.taps.begin(), t.taps.end(), 0.0), 1.0, 1e-6);
  });
}

TEST(ReduceTaps, are_symmetric_about_the_middle_of_the_block) {
  for_each_kernel([](const ReduceTaps& t, int factor) {
    const int last = t.first + static_cast<int>(t.taps.size()) - 1;
    EXPECT_EQ(t.first + last, factor - 1);  // twice the centre (factor - 1) / 2
    for (std::size_t k = 0; k < t.taps.size(); ++k)
      EXPECT_NEAR(t.taps[k], t.taps[t.taps.size() - 1 - k], 1e-7) << k;
  });
}

TEST(ReduceTaps, at_factor_1_change_nothing) {
  for (const ReduceKernel kernel : kKernels) {
    const ReduceTaps t = reduce_taps(kernel, 1);
    for (std::size_t k = 0; k < t.taps.size(); ++k)
      EXPECT_NEAR(t.taps[k], t.first + static_cast<int>(k) == 0 ? 1.0 : 0.0, 1e-7);
  }
}

TEST(ReduceTaps, of_box_are_the_mean_of_the_block) {
  const ReduceTaps t = reduce_taps(ReduceKernel::box, 4);
  EXPECT_EQ(t.first, 0);
  EXPECT_THAT(t.taps, ElementsAre(0.25f, 0.25f, 0.25f, 0.25f));
}

// Keys at 0.25, 0.75, 1.25 and 1.75, halved.
TEST(ReduceTaps, of_bicubic_at_factor_2_are_the_256ths_of_keys) {
  const ReduceTaps t = reduce_taps(ReduceKernel::bicubic, 2);
  EXPECT_EQ(t.first, -3);
  EXPECT_THAT(t.taps, ElementsAre(-3 / 256.f, -9 / 256.f, 29 / 256.f, 111 / 256.f, 111 / 256.f,
                                  29 / 256.f, -9 / 256.f, -3 / 256.f));
}

// sinc(x) * sinc(x / 2), before it is normalised, at 1/3 and 2/3: 0.7897 and 0.3420.
TEST(ReduceTaps, of_lanczos2_at_factor_3_follow_the_windowed_sinc) {
  const ReduceTaps t = reduce_taps(ReduceKernel::lanczos2, 3);
  EXPECT_EQ(t.first, -4);
  ASSERT_EQ(t.taps.size(), 11u);
  EXPECT_NEAR(t.taps[6] / t.taps[5], 0.789720, 1e-5);
  EXPECT_NEAR(t.taps[7] / t.taps[5], 0.341959, 1e-5);
  EXPECT_NEAR(t.taps[8] / t.taps[5], 0.0, 1e-6);  // a zero of the sinc
  EXPECT_LT(t.taps[9], 0.f);
}

TEST(ReduceTaps, of_the_lanczos_kernels_have_negative_lobes_and_box_has_none) {
  const auto has_negative = [](ReduceKernel kernel) {
    const ReduceTaps t = reduce_taps(kernel, 4);
    return std::ranges::any_of(t.taps, [](float v) { return v < -1e-3f; });
  };
  EXPECT_TRUE(has_negative(ReduceKernel::lanczos2));
  EXPECT_TRUE(has_negative(ReduceKernel::lanczos3));
  EXPECT_TRUE(has_negative(ReduceKernel::bicubic));
  EXPECT_FALSE(has_negative(ReduceKernel::box));
}

}  // namespace
}  // namespace unmar
