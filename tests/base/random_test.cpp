#include "unmar/base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace unmar {
namespace {

constexpr std::size_t kCount = 1 << 18;
/// The mean of kCount independent numbers of variance 1 is off by more than this in one stream of
/// a million; the streams are fixed, so a test that passes keeps passing.
const double kSigmas5 = 5 / std::sqrt(static_cast<double>(kCount));

struct Moments {
  double mean = 0, variance = 0, skew = 0, kurtosis = 0;
};

Moments moments(const std::vector<float>& values) {
  Moments m;
  const auto n = static_cast<double>(values.size());
  for (const float v : values) m.mean += v / n;
  for (const float v : values) m.variance += (v - m.mean) * (v - m.mean) / n;
  for (const float v : values) {
    const double z = (v - m.mean) / std::sqrt(m.variance);
    m.skew += z * z * z / n;
    m.kurtosis += z * z * z * z / n;
  }
  return m;
}

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const Moments ma = moments(a), mb = moments(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - ma.mean) * (b[i] - mb.mean);
  return sum / static_cast<double>(a.size()) / std::sqrt(ma.variance * mb.variance);
}

std::vector<float> normals(std::uint64_t seed, std::string_view name) {
  std::vector<float> v(kCount);
  Random(seed, name).normal(v);
  return v;
}

TEST(Random, uniform_lies_in_its_interval_with_the_moments_of_one) {
  std::vector<float> v(kCount);
  Random(1, "u").uniform(v, -2.f, 4.f);
  EXPECT_GE(*std::ranges::min_element(v), -2.f);
  EXPECT_LT(*std::ranges::max_element(v), 4.f);
  const Moments m = moments(v);
  EXPECT_NEAR(m.mean, 1, kSigmas5 * std::sqrt(3.0));  // variance (4 - -2)^2 / 12 = 3
  EXPECT_NEAR(m.variance, 3, kSigmas5 * 3);           // its own deviation is 0.9 * 3
  EXPECT_NEAR(m.kurtosis, 1.8, kSigmas5 * 2);
}

TEST(Random, normal_has_the_first_four_moments_of_a_gaussian) {
  std::vector<float> v(kCount);
  Random(1, "n").normal(v, 3.f, 2.f);
  const Moments m = moments(v);
  EXPECT_NEAR(m.mean, 3, kSigmas5 * 2);
  EXPECT_NEAR(m.variance, 4, kSigmas5 * 4 * std::sqrt(2.0));
  EXPECT_NEAR(m.skew, 0, kSigmas5 * std::sqrt(6.0));
  EXPECT_NEAR(m.kurtosis, 3, kSigmas5 * std::sqrt(24.0));
}

TEST(Random, bernoulli_is_1_as_often_as_asked) {
  std::vector<float> v(kCount);
  Random(1, "b").bernoulli(v, 0.3f);
  EXPECT_THAT(v, ::testing::Each(::testing::AnyOf(0.f, 1.f)));
  EXPECT_NEAR(moments(v).mean, 0.3, kSigmas5 * std::sqrt(0.21));
  Random(1, "b").bernoulli(v, 0.f);
  EXPECT_THAT(v, ::testing::Each(0.f));
  Random(1, "b").bernoulli(v, 1.f);
  EXPECT_THAT(v, ::testing::Each(1.f));
}

TEST(Random, streams_of_other_seeds_and_names_are_uncorrelated) {
  const std::vector<float> a = normals(1, "a");
  EXPECT_NEAR(correlation(a, normals(2, "a")), 0, kSigmas5);
  EXPECT_NEAR(correlation(a, normals(1, "b")), 0, kSigmas5);
  EXPECT_NEAR(correlation(normals(1, "a0"), normals(1, "a1")), 0, kSigmas5);
}

TEST(Random, neighbours_in_a_stream_are_uncorrelated) {
  const std::vector<float> v = normals(1, "a");
  for (const std::size_t lag : {1u, 2u, 4u}) {
    const auto skip = static_cast<std::ptrdiff_t>(lag);
    EXPECT_NEAR(correlation({v.begin() + skip, v.end()}, {v.begin(), v.end() - skip}), 0,
                kSigmas5 * 1.01)
        << "lag " << lag;
  }
}

TEST(Random, the_same_stream_gives_the_same_numbers_again) {
  const Random random(3, "z");
  std::vector<float> a(10), b(10);
  random.normal(a);
  random.normal(b);
  EXPECT_EQ(a, b);
  Random(3, "z").normal(b);
  EXPECT_EQ(a, b);
}

TEST(Random, a_shorter_draw_is_the_beginning_of_a_longer_one) {
  for (const std::size_t count : {1u, 2u, 3u, 4u, 5u, 7u}) {
    std::vector<float> all(9), part(count);
    Random(3, "z").normal(all);
    Random(3, "z").normal(part);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin())) << count;
    Random(3, "z").uniform(all, 0, 1);
    Random(3, "z").uniform(part, 0, 1);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin())) << count;
  }
}

// Words of the stream (7, "jitter"), worked out apart from this code.
TEST(Random, pins_the_numbers_of_all_later_versions) {
  std::vector<float> v(4);
  Random(7, "jitter").normal(v);
  EXPECT_FLOAT_EQ(v[0], -0.2335428f);
  EXPECT_FLOAT_EQ(v[3], -1.65500855f);
  Random(7, "jitter").uniform(v, 0, 1);
  EXPECT_EQ(v[0], static_cast<float>(0x35B010) * 0x1p-24f);
  EXPECT_EQ(v[3], static_cast<float>(0xE00EC6) * 0x1p-24f);
}

}  // namespace
}  // namespace unmar
