#include "fit/samples.h"

#include <gtest/gtest.h>

#include <set>

#include "unmar/base/error.h"

namespace unmar {
namespace samples_test {

TEST(Samples, AreAllValuesIfTheyFit) {
  for (const std::size_t max : {5u, 6u, 100u})
    EXPECT_EQ(spread_samples(5, max), (std::vector<std::size_t>{0, 1, 2, 3, 4}));
}

TEST(Samples, LieOneInEachInterval) {
  for (const std::size_t count : {101u, 1000u, 4096u}) {
    const auto at = spread_samples(count, 100);
    ASSERT_EQ(at.size(), 100u);
    for (std::size_t i = 0; i < at.size(); ++i) {
      EXPECT_GE(at[i], i * count / 100);
      EXPECT_LE(at[i], (i + 1) * count / 100);
      EXPECT_LT(at[i], count);
    }
  }
}

TEST(Samples, WatchAllColumnsEvenWhereAFixedStepWouldWatchSix) {
  constexpr std::size_t kWidth = 4608, kSamples = 65536;  // intervals of 768, a sixth of the width
  std::set<std::size_t> columns;
  for (const std::size_t i : spread_samples(kSamples * 768, kSamples)) columns.insert(i % kWidth);
  EXPECT_EQ(columns.size(), kWidth);
}

TEST(Samples, RefuseAPictureOfAnotherShape) {
  Samples samples(10);
  samples.of(Tensor({1, 1, 2, 3}), "test");
  EXPECT_NO_THROW(samples.of(Tensor({1, 1, 2, 3}), "test"));
  EXPECT_THROW(samples.of(Tensor({1, 1, 3, 2}), "test"), Error);
}

}  // namespace samples_test
}  // namespace unmar
