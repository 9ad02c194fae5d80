#include "noise/anscombe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "error_text.h"
#include "pictures.h"

namespace unmar::test {
namespace {

/// Noise of variance gain * x + offset: photons counted, and read noise if the offset is above 0;
/// below 0, x begins at -offset / gain.
struct Camera {
  double gain, offset;

  double begin() const { return offset < 0 ? -offset / gain : 0; }
  double value_of(double photons) const { return begin() + gain * photons; }

  /// `count` pixels of the same brightness.
  std::vector<float> shots(double photons, std::size_t count) const {
    std::vector<float> draws(count), read(count);
    Random(1, "shots").uniform(draws, 0.f, 1.f);
    Random(1, "read").normal(read, 0.f, static_cast<float>(std::sqrt(std::max(offset, 0.0))));
    const auto most = static_cast<std::size_t>(photons + 10 * std::sqrt(photons) + 20);
    std::vector<double> at_most(most);  // probability of so many photons, or fewer
    double probability = std::exp(-photons), sum = 0;
    for (std::size_t k = 0; k < most; ++k) {
      if (k > 0) probability *= photons / static_cast<double>(k);
      at_most[k] = sum += probability;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto counted =
          std::upper_bound(at_most.begin(), at_most.end(), static_cast<double>(draws[i]));
      draws[i] =
          static_cast<float>(value_of(static_cast<double>(counted - at_most.begin()))) + read[i];
    }
    return draws;
  }
};

double mean(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance(const std::vector<float>& values) {
  const double m = mean(values);
  double sum = 0;
  for (const float v : values) sum += std::pow(static_cast<double>(v) - m, 2);
  return sum / static_cast<double>(values.size());
}

// Read noise of no, 0.7 and 3 photons; and x that begins at 0.1.
const Camera kCameras[] = {{0.02, 0}, {0.02, 0.0002}, {0.02, 0.0036}, {0.02, -0.002}, {1, 0}};
constexpr std::size_t kShots = 200'000;

TEST(Anscombe, is_inverted_without_bias) {
  // The mean of so many values of variance 1 is known to 1 / sqrt(200000) = 0.0022, which is
  // 0.0022 sqrt(photons + 3/8 + read^2) photons: four times that. The table adds a thousandth.
  constexpr double kDeviations = 4, kTable = 0.002;
  for (const Camera& camera : kCameras) {
    const Anscombe anscombe(camera.gain, camera.offset);
    const double read = std::max(camera.offset, 0.0) / (camera.gain * camera.gain);
    for (const double photons : {0.2, 1.0, 2.0, 5.0, 10.0, 30.0, 49.0, 51.0, 100.0}) {
      auto values = camera.shots(photons, kShots);
      anscombe.forward(values);
      std::vector<float> inverted{static_cast<float>(mean(values))};
      anscombe.inverse(inverted);
      const double found = (static_cast<double>(inverted[0]) - camera.begin()) / camera.gain;
      const double tolerance =
          kTable + kDeviations * std::sqrt((photons + 0.375 + read) / static_cast<double>(kShots));
      EXPECT_NEAR(found, photons, tolerance)
          << "gain " << camera.gain << ", offset " << camera.offset;
    }
  }
}

TEST(Anscombe, of_the_mean_instead_would_be_inverted_with_bias) {
  // What the test above would not see if shot noise were too weak for it.
  auto values = Camera{1, 0}.shots(2, kShots);
  Anscombe(1, 0).forward(values);
  EXPECT_GT(2 - (std::pow(mean(values) / 2, 2) - 0.375), 0.1);
}

TEST(Anscombe, makes_the_variance_1_from_a_few_photons_on) {
  // Theory: above 1 by at most 6 % near 4 photons, and ever less; the sample adds 0.3 %.
  constexpr double kFew = 0.06, kMany = 0.02, kSample = 0.01;
  for (const Camera& camera : kCameras)
    for (const double photons : {4.0, 6.0, 10.0, 20.0, 50.0, 100.0}) {
      auto values = camera.shots(photons, kShots);
      Anscombe(camera.gain, camera.offset).forward(values);
      EXPECT_NEAR(variance(values), 1, (photons < 15 ? kFew : kMany) + kSample)
          << photons << " photons, gain " << camera.gain << ", offset " << camera.offset;
    }
}

TEST(Anscombe, is_inverted_to_what_rises_and_never_below_the_begin) {
  for (const Camera& camera : kCameras) {
    std::vector<float> x;
    for (int i = -100; i < 3000; ++i) x.push_back(0.01f * static_cast<float>(i));
    Anscombe(camera.gain, camera.offset).inverse(x);
    EXPECT_TRUE(std::is_sorted(x.begin(), x.end()));
    EXPECT_EQ(x.front(), static_cast<float>(camera.begin()));
    EXPECT_GT(x.back(), x.front());
  }
}

TEST(Anscombe, takes_values_below_the_begin_for_no_light) {
  for (const Camera& camera : kCameras) {
    std::vector<float> x{-100.f, static_cast<float>(camera.begin()) - 50.f};
    Anscombe(camera.gain, camera.offset).forward(x);
    EXPECT_EQ(x, std::vector<float>({0.f, 0.f}));
  }
}

TEST(Anscombe, refuses_a_gain_that_is_not_above_0) {
  for (const double gain : {0.0, -1.0, std::nan("")})
    EXPECT_THAT(error_text([&] { Anscombe(gain, 0); }), testing::HasSubstr("gain"));
}

}  // namespace
}  // namespace unmar::test
