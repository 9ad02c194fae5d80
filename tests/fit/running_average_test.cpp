#include "fit/running_average.h"

#include <gtest/gtest.h>

#include <cmath>

namespace unmar {
namespace running_average_test {

Tensor value(float v) { return Tensor({1, 1, 1, 1}, v); }

float of(const RunningAverage& average) { return average.value().data()[0]; }

TEST(RunningAverage, BeginsWithTheFirstPicture) {
  RunningAverage average({1, 1, 1, 1}, 0.9f);
  EXPECT_FALSE(average.started());
  average.add(value(0.25f));
  EXPECT_TRUE(average.started());
  EXPECT_FLOAT_EQ(of(average), 0.25f);
}

TEST(RunningAverage, ForgetsTheFirstPicturesSoon) {
  RunningAverage average({1, 1, 1, 1}, 0.99f);
  average.add(value(100.f));
  for (int i = 0; i < 50; ++i) average.add(value(1.f));
  // With 0.99 from the beginning on 0.99^50, 60 %, of the first would be left.
  EXPECT_NEAR(of(average), 1.f, 1e-3f);
}

TEST(RunningAverage, TakesAFixedShareInTheEnd) {
  RunningAverage average({1, 1, 1, 1}, 0.9f);
  for (int i = 0; i < 100; ++i) average.add(value(0.f));
  for (int i = 0; i < 10; ++i) average.add(value(1.f));
  EXPECT_NEAR(of(average), 1.f - std::pow(0.9f, 10.f), 1e-5f);
}

TEST(RunningAverage, IsThePolynomialAverageOfTheLiteratureUntilThen) {
  RunningAverage average({1, 1, 1, 1}, 0.9999f);
  float expected = 0;
  for (int t = 1; t <= 40; ++t) {
    const auto x = static_cast<float>(t * t % 7);
    const float share = t == 1 ? 1.f : 5.f / static_cast<float>(t - 1 + 5);
    expected += share * (x - expected);
    average.add(value(x));
  }
  EXPECT_NEAR(of(average), expected, 1e-5f);
}

TEST(RunningAverage, WithoutDecayIsTheLatestPicture) {
  RunningAverage average({1, 1, 1, 1}, 0.f);
  average.add(value(1.f));
  average.add(value(0.5f));
  EXPECT_FLOAT_EQ(of(average), 0.5f);
}

TEST(RunningAverage, GoesOnFromItsArchive) {
  RunningAverage one({1, 1, 1, 1}, 0.99f);
  for (int i = 0; i < 7; ++i) one.add(value(static_cast<float>(i)));
  Archive out;
  one.serialize(out);
  RunningAverage other({1, 1, 1, 1}, 0.99f);
  const std::string bytes = out.take();
  Archive in(bytes, "test");
  other.serialize(in);
  one.add(value(3.f));
  other.add(value(3.f));
  EXPECT_EQ(of(one), of(other));
}

}  // namespace running_average_test
}  // namespace unmar
