#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "unmar/base/error.h"
#include "unmar/base/random.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace {

Image ramp(int channels, int height, int width) {
  Image image(channels, height, width);
  for (std::size_t i = 0; i < image.count(); ++i)
    image.pixels()[i] = static_cast<float>(i) / static_cast<float>(image.count());
  return image;
}

std::vector<float> values(const Image& image) {
  return {image.pixels().begin(), image.pixels().end()};
}

TEST(Convert, GivesBackTheImageWithItsSource) {
  Image image = ramp(3, 5, 4);
  image.source.format = SampleFormat::u16;
  image.source.range = {10, 900};
  const Tensor tensor = to_tensor(image);
  EXPECT_EQ(tensor.shape(), (Shape{1, 3, 5, 4}));
  EXPECT_EQ(tensor.at(0, 2, 4, 1), image.at(2, 4, 1));
  const Image back = to_image(tensor, image.source);
  EXPECT_EQ(values(back), values(image));
  EXPECT_EQ(back.source.format, SampleFormat::u16);
  EXPECT_EQ(back.source.range, (ValueRange{10, 900}));
}

TEST(Convert, RefusesTensorsThatAreNoImage) {
  EXPECT_THROW(to_image(Tensor({2, 3, 3, 3})), Error);
  EXPECT_THROW(to_image(Tensor({2, 1, 3, 3})), Error);
}

TEST(Simulate, WithoutDamageIsTheCleanImageAsItIs) {
  Image clean = ramp(1, 3, 3);
  clean.at(0, 0, 0) = 1.5f;  // outside of [0,1]: nothing was added, so nothing is clamped
  const Simulated s = simulate(clean, {});
  EXPECT_EQ(values(s.image), values(clean));
  EXPECT_TRUE(s.mask.empty());
}

TEST(Simulate, AddsTheNoiseStreamInTheOrderOfThePixels) {
  const Image clean = ramp(3, 6, 5);
  const Simulated s = simulate(clean, {.sigma = 0.1f, .clip = false, .seed = 11});
  std::vector<float> expected(clean.count());
  Random(11, "noise").normal(expected, 0.f, 0.1f);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += clean.pixels()[i];
  EXPECT_EQ(values(s.image), expected);
}

TEST(Simulate, NoiseHasTheAskedSigma) {
  const Image clean(1, 100, 100, 0.5f);
  const Simulated s = simulate(clean, {.sigma = 25.f / 255, .clip = false, .seed = 3});
  double sum = 0;
  for (const float v : s.image.pixels()) sum += std::pow(static_cast<double>(v) - 0.5, 2);
  // 10^4 draws know their sigma within 1 / sqrt(2 * 10^4) = 0.7 %; 4 of these.
  EXPECT_NEAR(std::sqrt(sum / 1e4), 25.0 / 255, 0.028 * 25.0 / 255);
}

double mean_of(const Image& image) {
  double sum = 0;
  for (const float v : image.pixels()) sum += static_cast<double>(v);
  return sum / static_cast<double>(image.count());
}
double variance_of(const Image& image) {
  const double mean = mean_of(image);
  double sum = 0;
  for (const float v : image.pixels()) sum += std::pow(static_cast<double>(v) - mean, 2);
  return sum / static_cast<double>(image.count());
}

TEST(Simulate, ShotNoiseCountsPhotons) {
  const Image clean(1, 100, 100, 0.4f);
  for (const float photons : {10.f, 500.f}) {
    const Image image = simulate(clean, {.poisson = photons, .clip = false, .seed = 3}).image;
    for (const float v : image.pixels())
      ASSERT_NEAR(v * photons, std::round(v * photons), 1e-3) << "whole photons";
    const double variance = 0.4 / static_cast<double>(photons);
    // 10^4 draws: the mean within 4 sigma / 100, the variance within 4 * 1.6 %.
    EXPECT_NEAR(mean_of(image), 0.4, 0.04 * std::sqrt(variance));
    EXPECT_NEAR(variance_of(image), variance, 0.064 * variance);
  }
}

TEST(Simulate, ShotNoiseLeavesBlackBlack) {
  const Image image = simulate(Image(1, 20, 20, 0.f), {.poisson = 30.f, .seed = 3}).image;
  EXPECT_EQ(std::ranges::max(image.pixels()), 0.f);
}

TEST(Simulate, SpeckleGrowsWithTheBrightness) {
  for (const float light : {0.2f, 0.8f}) {
    const Image image =
        simulate(Image(1, 100, 100, light), {.speckle = 0.3f, .clip = false, .seed = 3}).image;
    const double sigma = 0.3 * static_cast<double>(light);
    EXPECT_NEAR(std::sqrt(variance_of(image)), sigma, 0.028 * sigma);
    EXPECT_NEAR(mean_of(image), light, 0.04 * sigma);
  }
}

TEST(Simulate, SaltAndPepperAreHalfOfTheFractionEach) {
  const Image image =
      simulate(Image(3, 100, 40, 0.5f), {.salt_pepper = 0.2f, .clip = false, .seed = 3}).image;
  const auto count = [&](float value) { return std::ranges::count(image.pixels(), value); };
  // Of 12000 values each 1200, sigma 33; 4 of these.
  EXPECT_NEAR(static_cast<double>(count(0.f)), 1200, 132);
  EXPECT_NEAR(static_cast<double>(count(1.f)), 1200, 132);
  EXPECT_EQ(count(0.f) + count(1.f) + count(0.5f), 12000);
}

TEST(Simulate, ClipsAfterTheNoise) {
  const Image clean = ramp(1, 20, 20);
  const Simulated raw = simulate(clean, {.sigma = 0.2f, .clip = false, .seed = 5});
  const Simulated clipped = simulate(clean, {.sigma = 0.2f, .seed = 5});
  EXPECT_LT(std::ranges::min(raw.image.pixels()), 0.f);
  EXPECT_EQ(values(clipped.image), values(clamped(raw.image)));
}

TEST(Simulate, LosesTheSamePixelsInAllChannels) {
  const Image clean(3, 50, 40, 0.5f);
  const Simulated s = simulate(clean, {.missing = 0.3f, .seed = 5});
  ASSERT_EQ(s.mask.channels(), 1);
  int lost = 0;
  for (int row = 0; row < 50; ++row)
    for (int col = 0; col < 40; ++col) {
      const float known = s.mask.at(0, row, col);
      ASSERT_TRUE(known == 0.f || known == 1.f);
      lost += known == 0.f;
      for (int c = 0; c < 3; ++c) ASSERT_EQ(s.image.at(c, row, col), 0.5f * known);
    }
  // 2000 coin flips of 0.3: sigma 20.5; 4 of these.
  EXPECT_NEAR(lost, 600, 82);
}

TEST(Simulate, LosesTheSamePixelsWhateverTheNoise) {
  const Image clean(1, 20, 20, 0.5f);
  const Simulated quiet = simulate(clean, {.missing = 0.5f, .seed = 5});
  const Simulated noisy = simulate(clean, {.sigma = 0.1f, .missing = 0.5f, .seed = 5});
  EXPECT_EQ(values(quiet.mask), values(noisy.mask));
  EXPECT_NE(values(quiet.mask), values(simulate(clean, {.missing = 0.5f, .seed = 6}).mask));
}

TEST(Simulate, ShrinksTheCentreThatDivides) {
  Image clean = ramp(1, 9, 7);
  clean.source.format = SampleFormat::u16;
  clean.source.alpha.assign(63, 0.5f);
  const Simulated s = simulate(clean, {.shrink = 4, .kernel = ReduceKernel::box});
  ASSERT_EQ(s.image.height(), 2);
  ASSERT_EQ(s.image.width(), 1);
  double mean = 0;  // surplus 1 and 3: rows 0..7, columns 1..4
  for (int row = 0; row < 4; ++row)
    for (int col = 1; col < 5; ++col) mean += static_cast<double>(clean.at(0, row, col)) / 16;
  EXPECT_NEAR(s.image.at(0, 0, 0), mean, 1e-6);  // a few float roundings
  EXPECT_EQ(s.image.source.format, SampleFormat::u16);
  EXPECT_TRUE(s.image.source.alpha.empty());
}

TEST(Simulate, ClampsTheOvershootOfAReduction) {
  Image clean(1, 32, 32);
  for (int row = 0; row < 32; ++row)
    for (int col = 16; col < 32; ++col) clean.at(0, row, col) = 1.f;
  const SimulateOptions options{.clip = false, .shrink = 2};
  const Simulated raw = simulate(clean, options);
  EXPECT_GT(std::ranges::max(raw.image.pixels()), 1.01f);
  const Simulated clipped = simulate(clean, {.shrink = 2});
  EXPECT_EQ(values(clipped.image), values(clamped(raw.image)));
}

TEST(Simulate, NamesOptionsOutOfRange) {
  const auto text = [](const SimulateOptions& options) -> std::string {
    try {
      simulate(Image(1, 4, 4), options);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_THAT(text({.sigma = 25.f}), testing::HasSubstr("sigma must be in [0,1], got 25"));
  EXPECT_THAT(text({.sigma = std::nanf("")}), testing::HasSubstr("sigma must be in [0,1]"));
  EXPECT_THAT(text({.poisson = 501.f}), testing::HasSubstr("poisson must be in [0,500], got 501"));
  EXPECT_THAT(text({.speckle = -1.f}), testing::HasSubstr("speckle must be in [0,1], got -1"));
  EXPECT_THAT(text({.salt_pepper = 2.f}),
              testing::HasSubstr("salt_pepper must be in [0,1], got 2"));
  EXPECT_THAT(text({.missing = 1.f}), testing::HasSubstr("missing must be in [0,1), got 1"));
  EXPECT_THAT(text({.shrink = 5}), testing::HasSubstr("must be 2, 3, 4 or 8, got 5"));
  EXPECT_THAT(text({.shrink = 8}), testing::HasSubstr("cannot shrink 4x4 by 8"));
}

TEST(Simulate, BlursBeforeItAddsNoise) {
  Image clean(1, 12, 12);
  clean.at(0, 6, 6) = 1.f;
  const Simulated blurred = simulate(clean, {.blur = parse_blur("motion:3,0")});
  EXPECT_NEAR(blurred.image.at(0, 6, 7), 1.f / 3, 1e-6f);
  EXPECT_EQ(blurred.image.at(0, 7, 6), 0.f);
  const Simulated noisy =
      simulate(clean, {.sigma = 0.1f, .clip = false, .blur = parse_blur("motion:3,0"), .seed = 1});
  const Simulated noise = simulate(Image(1, 12, 12), {.sigma = 0.1f, .clip = false, .seed = 1});
  EXPECT_NEAR(noisy.image.at(0, 6, 7), 1.f / 3 + noise.image.at(0, 6, 7), 1e-6f);
}

TEST(Simulate, RefusesABlurThatChangesTheSize) {
  EXPECT_THROW(simulate(Image(1, 12, 12), {.blur = make_reduction(ReduceKernel::box, 2)}), Error);
}

}  // namespace
}  // namespace unmar
