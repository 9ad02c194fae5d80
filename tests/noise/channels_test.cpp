#include "noise/channels.h"

#include <gtest/gtest.h>

#include <cmath>

#include "pictures.h"

namespace unmar::test {
namespace {

constexpr double kRounding = 1e-6;  // of sums of up to 8 numbers below 1

double value(const Tensor& t, int c, int y, int x) { return static_cast<double>(t.at(0, c, y, x)); }

/// Row o: how much of each channel goes into o.
std::vector<std::vector<double>> rows(int channels) {
  std::vector<std::vector<double>> m(static_cast<std::size_t>(channels));
  for (int i = 0; i < channels; ++i) {
    Tensor unit({1, channels, 1, 1});
    unit.at(0, i, 0, 0) = 1.f;
    const Tensor turned = to_opponent(unit);
    for (int o = 0; o < channels; ++o)
      m[static_cast<std::size_t>(o)].push_back(value(turned, o, 0, 0));
  }
  return m;
}

TEST(Opponent, is_orthonormal) {
  for (int channels = 1; channels <= 8; ++channels) {
    const auto m = rows(channels);
    for (std::size_t a = 0; a < m.size(); ++a)
      for (std::size_t b = 0; b < m.size(); ++b) {
        double product = 0;
        for (std::size_t i = 0; i < m.size(); ++i) product += m[a][i] * m[b][i];
        EXPECT_NEAR(product, a == b ? 1 : 0, kRounding) << channels << " channels";
      }
  }
}

TEST(Opponent, is_undone_by_its_inverse) {
  for (int channels = 1; channels <= 8; ++channels) {
    const Tensor t = uniform({1, channels, 5, 6}, "t");
    const Tensor back = from_opponent(to_opponent(t));
    ASSERT_EQ(back.shape(), t.shape());
    for (std::size_t i = 0; i < t.count(); ++i)
      ASSERT_NEAR(back.data()[i], t.data()[i], kRounding) << channels << " channels";
  }
}

TEST(Opponent, leaves_gray_as_it_is) {
  const Tensor t = uniform({1, 1, 5, 6}, "t");
  EXPECT_EQ(other_bits(to_opponent(t), t), 0u);
  EXPECT_EQ(other_bits(from_opponent(t), t), 0u);
}

TEST(Opponent, of_red_green_and_blue_is_their_sum_and_two_differences) {
  const Tensor t = uniform({1, 3, 4, 7}, "t"), turned = to_opponent(t);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 7; ++x) {
      const double r = value(t, 0, y, x), g = value(t, 1, y, x), b = value(t, 2, y, x);
      EXPECT_NEAR(value(turned, 0, y, x), (r + g + b) / std::sqrt(3.0), kRounding);
      EXPECT_NEAR(value(turned, 1, y, x), (r - b) / std::sqrt(2.0), kRounding);
      EXPECT_NEAR(value(turned, 2, y, x), (r - 2 * g + b) / std::sqrt(6.0), kRounding);
    }
}

TEST(Opponent, has_the_mean_times_the_root_of_the_channels_first) {
  for (int channels = 1; channels <= 8; ++channels) {
    const Tensor turned = to_opponent(Tensor({1, channels, 2, 2}, 0.25f));
    EXPECT_NEAR(value(turned, 0, 1, 1), 0.25 * std::sqrt(channels), kRounding);
    for (int c = 1; c < channels; ++c) EXPECT_NEAR(value(turned, c, 1, 1), 0, kRounding);
  }
}

}  // namespace
}  // namespace unmar::test
