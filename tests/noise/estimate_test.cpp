#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "error_text.h"
#include "noise/flat_blocks.h"
#include "pictures.h"
#include "unmar/noise/noise.h"
#include "unmar/observe/observe.h"

namespace unmar::test {
namespace {

using testing::HasSubstr;

constexpr int kSide = 256;

struct Case {
  const char* name;
  bool gray;
};
const Case kPictures[] = {
    {"coffee.png", false}, {"coffee.png", true}, {"astronaut.png", false}, {"astronaut.png", true}};

std::string text_of(const Case& picture, double strength) {
  return std::string(picture.name) + (picture.gray ? " gray, " : " colour, ") +
         std::to_string(strength);
}

/// Smoothed by [1 2 1] / 4 across and down, which leaves 3/8 of the standard deviation of white
/// noise, and correlates neighbours by 2/3.
Tensor smoothed(const Tensor& t) {
  const Shape& s = t.shape();
  Tensor result(s);
  const float kernel[] = {0.25f, 0.5f, 0.25f};
  for (int c = 0; c < s.c; ++c)
    for (int y = 0; y < s.h; ++y)
      for (int x = 0; x < s.w; ++x)
        for (int v = -1; v <= 1; ++v)
          for (int u = -1; u <= 1; ++u)
            result.at(0, c, y, x) +=
                kernel[v + 1] * kernel[u + 1] *
                t.at(0, c, std::clamp(y + v, 0, s.h - 1), std::clamp(x + u, 0, s.w - 1));
  return result;
}

/// Root mean square of the difference.
double deviation(const Tensor& a, const Tensor& b) { return std::sqrt(mean_square(a, b)); }

Tensor sum(Tensor a, const Tensor& b) {
  for (std::size_t i = 0; i < a.count(); ++i) a.data()[i] += b.data()[i];
  return a;
}

Tensor gaussian(const Shape& shape, double sigma) {
  Tensor t(shape);
  Random(7, "gaussian").normal(t.values(), 0.f, static_cast<float>(sigma));
  return t;
}

/// What a sensor behind red, green, green and blue filters, 2 x 2, measures of a picture, with
/// noise that grows with the light, interpolated linearly to three channels.
Tensor photographed(const Tensor& clean) {
  const Shape& s = clean.shape();
  const auto measured = [](int c, int y, int x) { return c == y % 2 + x % 2; };
  Tensor sensor = gaussian({1, 1, s.h, s.w}, 1);
  for (int y = 0; y < s.h; ++y)
    for (int x = 0; x < s.w; ++x) {
      const float light = clean.at(0, y % 2 + x % 2, y, x);
      float& value = sensor.at(0, 0, y, x);
      value = light + std::sqrt(0.35f / 255 * light + 20.f / (255 * 255)) * value;
    }
  Tensor result(s);
  for (int c = 0; c < s.c; ++c)
    for (int y = 0; y < s.h; ++y)
      for (int x = 0; x < s.w; ++x) {
        float sum = 0, weights = 0;
        for (int v = std::max(0, y - 1); v <= std::min(s.h - 1, y + 1); ++v)
          for (int u = std::max(0, x - 1); u <= std::min(s.w - 1, x + 1); ++u) {
            if (!measured(c, v, u) || (measured(c, y, x) && (v != y || u != x))) continue;
            const float weight = c == 1 && v != y && u != x ? 0.f : 1.f;
            sum += weight * sensor.at(0, 0, v, u);
            weights += weight;
          }
        result.at(0, c, y, x) = sum / weights;
      }
  return result;
}

void expect_finite(const NoiseModel& noise, int channels) {
  for (const double v : {noise.sigma, noise.gain, noise.offset, noise.poisson_share,
                         noise.correlation, noise.impulses})
    EXPECT_TRUE(std::isfinite(v));
  EXPECT_GE(noise.sigma, 0);
  EXPECT_EQ(noise.channels.size(), static_cast<std::size_t>(channels));
  for (const double v : noise.channels) EXPECT_TRUE(std::isfinite(v) && v >= 0);
}

TEST(EstimateNoise, knows_white_noise_and_how_strong_it_is) {
  // Measured: 10 to 15.4 % too much at sigma 10, where fine texture counts as noise; else at most
  // 2.5 % off.
  const auto bound = [](int sigma) { return sigma < 25 ? 0.17 : 0.04; };
  for (const Case& picture : kPictures)
    for (const int sigma : {10, 25, 50}) {
      const Image clean = sample(picture.name, kSide, picture.gray);
      const Image noisy =
          simulate(clean, {.sigma = static_cast<float>(sigma) / 255.f, .seed = 1}).image;
      const double real = deviation(to_tensor(noisy), to_tensor(clean));  // after clipping
      const NoiseModel noise = estimate_noise(noisy);
      EXPECT_EQ(noise.kind, NoiseKind::white) << text_of(picture, sigma);
      EXPECT_NEAR(noise.sigma / real, 1, bound(sigma)) << text_of(picture, sigma);
      expect_finite(noise, clean.channels());
    }
}

constexpr double kGain = 0.15;  // relative; measured: up to 0.12

TEST(EstimateNoise, knows_poisson_noise_and_its_gain) {
  constexpr double kStrength = 0.15;  // relative, beside the noise after clipping; measured: 0.11
  const struct {
    Case picture;
    int peak;
  } cases[] = {{{"coffee.png", false}, 50},
               {{"coffee.png", true}, 50},
               {{"cat.png", false}, 20},
               {{"cat.png", false}, 50},
               {{"cat.png", true}, 50}};
  for (const auto& [picture, peak] : cases)
    for (const bool clip : {false, true}) {
      const Image clean = sample(picture.name, kSide, picture.gray);
      const Image noisy =
          simulate(clean, {.poisson = static_cast<float>(peak), .clip = clip, .seed = 1}).image;
      const NoiseModel noise = estimate_noise(noisy);
      EXPECT_EQ(noise.kind, NoiseKind::poisson) << text_of(picture, peak);
      EXPECT_NEAR(noise.gain * peak, 1, kGain) << text_of(picture, peak);
      EXPECT_GT(noise.poisson_share, 0.9) << text_of(picture, peak);
      EXPECT_NEAR(noise.sigma / deviation(to_tensor(noisy), to_tensor(clean)), 1, kStrength)
          << text_of(picture, peak);
      expect_finite(noise, clean.channels());
    }
}

TEST(EstimateNoise, finds_the_gain_of_noise_that_is_known_to_be_poisson) {
  constexpr double kKnownGain = 0.2;  // of pictures that are clipped where they are bright
  for (const Case& picture : kPictures)
    for (const int peak : {20, 50}) {
      const Image clean = sample(picture.name, kSide, picture.gray);
      const Image noisy = simulate(clean, {.poisson = static_cast<float>(peak), .seed = 1}).image;
      const NoiseModel noise = estimate_noise(noisy, {.kind = NoiseKind::poisson});
      EXPECT_EQ(noise.kind, NoiseKind::poisson) << text_of(picture, peak);
      EXPECT_NEAR(noise.gain * peak, 1, kKnownGain) << text_of(picture, peak);
    }
}

TEST(EstimateNoise, knows_noise_that_neighbours_share) {
  constexpr double kStrength = 0.15;  // relative; measured: 0.034
  for (const Case& picture : kPictures)
    for (const int sigma : {25, 75}) {
      const Tensor clean = to_tensor(sample(picture.name, kSide, picture.gray));
      const Tensor noise = smoothed(gaussian(clean.shape(), sigma / 255.));
      const double real = deviation(noise, Tensor(clean.shape()));
      const NoiseModel model = estimate_noise(sum(clean, noise));
      EXPECT_EQ(model.kind, NoiseKind::correlated) << text_of(picture, sigma);
      EXPECT_NEAR(model.sigma / real, 1, kStrength) << text_of(picture, sigma);
      EXPECT_GT(model.correlation, 0.4);
      EXPECT_GE(model.reach, 1);
      EXPECT_LE(model.reach, 4);
      expect_finite(model, clean.shape().c);
    }
}

TEST(EstimateNoise, knows_the_noise_of_a_camera) {
  for (const char* name : {"coffee.png", "astronaut.png"})
    for (const int side : {128, 256})
      EXPECT_EQ(estimate_noise(photographed(to_tensor(sample(name, side)))).kind,
                NoiseKind::correlated)
          << name << ", " << side;
}

/// The kind that the flattest blocks of three channels speak for. fine: sigma of white noise over
/// theirs; nearest, next: what neighbours at one and two pixels share.
NoiseKind kind_by(double fine, double nearest, double next) {
  constexpr double kVariance = 4e-4;
  Flattest flat;
  flat.enough = flat.alike = true;
  flat.mean.variance = kVariance;
  flat.mean.lag = {kVariance, nearest * kVariance, next * kVariance, 0, 0};
  NoiseModel noise;
  noise.channels.assign(3, fine * std::sqrt(kVariance));
  look_for_correlation({flat, flat, flat}, noise, false);
  return noise.kind;
}

TEST(EstimateNoise, tells_interpolation_from_texture_by_how_far_it_reaches) {
  // Measured on 128 x 128 pixels of demosaiced photographs, and of clean ones.
  EXPECT_EQ(kind_by(1.02, 0.55, -0.02), NoiseKind::correlated);
  EXPECT_EQ(kind_by(1.03, 0.63, 0.09), NoiseKind::correlated);
  EXPECT_EQ(kind_by(0.72, 0.56, 0.4), NoiseKind::correlated) << "far below the blocks";
  EXPECT_EQ(kind_by(0.99, 0.49, 0.13), NoiseKind::white);
  EXPECT_EQ(kind_by(1.25, 0.50, 0.21), NoiseKind::white);
  EXPECT_EQ(kind_by(1.25, 0.29, 0.01), NoiseKind::white);
  EXPECT_EQ(kind_by(1.02, 0.55, -0.5), NoiseKind::white) << "cloth, of some 6 px";
}

TEST(EstimateNoise, does_not_take_texture_for_noise_that_neighbours_share) {
  for (const char* name : {"coffee.png", "astronaut.png"})
    for (const int sigma : {4, 8}) {
      const Tensor clean = to_tensor(sample(name, 128));
      const NoiseModel noise = estimate_noise(sum(clean, gaussian(clean.shape(), sigma / 255.)));
      EXPECT_NE(noise.kind, NoiseKind::correlated) << name << ", " << sigma;
    }
}

TEST(EstimateNoise, knows_how_much_salt_and_pepper_there_is) {
  constexpr double kShare = 0.2, kSeen = 0.1;
  for (const Case& picture : kPictures)
    for (const float sigma : {0.f, 10 / 255.f}) {
      const Image clean = sample(picture.name, kSide, picture.gray);
      const Image without = simulate(clean, {.sigma = sigma, .seed = 1}).image;
      const Image noisy = simulate(clean, {.sigma = sigma, .salt_pepper = 0.05f, .seed = 1}).image;
      double real = 0;  // pepper on black is none
      for (std::size_t i = 0; i < noisy.count(); ++i)
        if (std::abs(noisy.pixels()[i] - without.pixels()[i]) > static_cast<float>(kSeen)) ++real;
      real /= static_cast<double>(noisy.count());
      ASSERT_GT(real, 0.03);
      EXPECT_NEAR(estimate_noise(noisy).impulses / real, 1, kShare)
          << text_of(picture, static_cast<double>(sigma));
    }
}

TEST(EstimateNoise, finds_no_impulses_where_there_are_none) {
  for (const Case& picture : kPictures)
    for (const int sigma : {0, 50}) {
      const Image clean = sample(picture.name, kSide, picture.gray);
      const Image noisy =
          simulate(clean, {.sigma = static_cast<float>(sigma) / 255.f, .seed = 1}).image;
      EXPECT_EQ(estimate_noise(noisy).impulses, 0) << text_of(picture, sigma);
    }
}

TEST(EstimateNoise, of_each_opponent_channel_is_its_own) {
  // Noise in blue alone: a third of its variance in the first channel, a half and a sixth of it in
  // the others.
  Tensor y({1, 3, 200, 200}, 0.5f);
  const Tensor noise = gaussian({1, 1, 200, 200}, 0.1);
  for (int v = 0; v < 200; ++v)
    for (int u = 0; u < 200; ++u) y.at(0, 2, v, u) += noise.at(0, 0, v, u);
  const NoiseModel model = estimate_noise(y);
  ASSERT_EQ(model.channels.size(), 3u);
  EXPECT_NEAR(model.channels[0], 0.1 / std::sqrt(3.0), 0.003);
  EXPECT_NEAR(model.channels[1], 0.1 / std::sqrt(2.0), 0.003);
  EXPECT_NEAR(model.channels[2], 0.1 / std::sqrt(6.0), 0.003);
  EXPECT_NEAR(model.sigma, 0.1 / std::sqrt(3.0), 0.003);
}

TEST(EstimateNoise, believes_a_kind_that_is_known) {
  const Image clean = sample("coffee.png", 128);
  const Image images[] = {
      simulate(clean, {.sigma = 25 / 255.f, .seed = 1}).image,
      simulate(clean, {.poisson = 20, .seed = 1}).image,
      to_image(sum(to_tensor(clean), smoothed(gaussian({1, 3, 128, 128}, 50 / 255.))))};
  for (const Image& image : images)
    for (const NoiseKind kind : {NoiseKind::white, NoiseKind::poisson, NoiseKind::correlated}) {
      const NoiseModel noise = estimate_noise(image, {.kind = kind});
      EXPECT_EQ(noise.kind, kind);
      expect_finite(noise, 3);
    }
}

TEST(EstimateNoise, believes_a_kind_that_is_known_in_a_small_picture) {
  const Image image = simulate(sample("cat.png", 24), {.poisson = 20, .seed = 1}).image;
  for (const NoiseKind kind : {NoiseKind::white, NoiseKind::poisson, NoiseKind::correlated})
    EXPECT_EQ(estimate_noise(image, {.kind = kind}).kind, kind) << to_string(kind);
}

TEST(EstimateNoise, believes_a_strength_that_is_known) {
  const Image image = simulate(sample("coffee.png", 128), {.poisson = 20, .seed = 1}).image;
  const NoiseModel noise = estimate_noise(image, {.sigma = 0.07});
  EXPECT_EQ(noise.kind, NoiseKind::white);
  EXPECT_EQ(noise.sigma, 0.07);
  EXPECT_THAT(noise.channels, testing::ElementsAre(0.07, 0.07, 0.07));
  const NoiseModel shared = estimate_noise(image, {.kind = NoiseKind::correlated, .sigma = 0.07});
  EXPECT_EQ(shared.kind, NoiseKind::correlated);
  EXPECT_EQ(shared.sigma, 0.07);
}

TEST(EstimateNoise, of_any_small_or_flat_picture_is_finite) {
  for (const int channels : {1, 3})
    for (const auto& [height, width] :
         {std::pair{1, 1}, {1, 30}, {30, 1}, {3, 5}, {8, 8}, {9, 40}, {64, 64}})
      for (const std::optional<NoiseKind> kind : {std::optional<NoiseKind>{},
                                                  {NoiseKind::white},
                                                  {NoiseKind::poisson},
                                                  {NoiseKind::correlated}}) {
        const Shape shape{1, channels, height, width};
        for (const float value : {0.f, 0.5f, 1.f}) {
          const NoiseModel flat = estimate_noise(Tensor(shape, value), {.kind = kind});
          expect_finite(flat, channels);
          EXPECT_LT(flat.sigma, 1e-6);
          EXPECT_EQ(flat.impulses, 0);
        }
        expect_finite(estimate_noise(uniform(shape, "small"), {.kind = kind}), channels);
        Tensor black_and_white = uniform(shape, "small");
        for (float& v : black_and_white.values()) v = std::round(v);
        expect_finite(estimate_noise(black_and_white, {.kind = kind}), channels);
      }
}

TEST(EstimateNoise, refuses_an_empty_picture) {
  EXPECT_THAT(error_text([] { estimate_noise(Image()); }), HasSubstr("no pixels"));
  EXPECT_THAT(error_text([] { estimate_noise(Tensor()); }), HasSubstr("no pixels"));
}

TEST(NoiseText, says_the_kind_and_the_strength) {
  NoiseModel noise;
  noise.sigma = 24.56 / 255;
  EXPECT_EQ(to_string(noise), "white noise, sigma 24.6");
  noise.impulses = 0.051;
  EXPECT_EQ(to_string(noise), "white noise, sigma 24.6; salt and pepper 5.1 %");
  noise.impulses = 0;
  noise.kind = NoiseKind::poisson;
  noise.poisson_share = 0.9;
  EXPECT_EQ(to_string(noise), "poisson noise, sigma 24.6, Poisson share 90 %");
  noise.kind = NoiseKind::correlated;
  noise.reach = 2;
  EXPECT_EQ(to_string(noise), "correlated noise, sigma 24.6, correlated over 2 px");
}

TEST(NoiseText, names_each_kind) {
  EXPECT_STREQ(to_string(NoiseKind::white), "white");
  EXPECT_STREQ(to_string(NoiseKind::poisson), "poisson");
  EXPECT_STREQ(to_string(NoiseKind::correlated), "correlated");
}

TEST(EstimateSigma, sees_noise_and_not_the_picture) {
  Tensor smooth({1, 1, 64, 64}), noise(smooth.shape());
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x)
      smooth.at(0, 0, y, x) = 0.5f + 0.3f * std::sin(0.1f * static_cast<float>(x + 2 * y));
  Random(3, "n").normal(noise.values(), 0.f, 0.1f);
  EXPECT_LT(estimate_sigma(smooth), 0.005);
  EXPECT_NEAR(estimate_sigma(sum(smooth, noise)), 0.1, 0.01);
  EXPECT_EQ(estimate_sigma(Tensor({1, 3, 1, 9}, 0.5f)), 0);
}

}  // namespace
}  // namespace unmar::test
