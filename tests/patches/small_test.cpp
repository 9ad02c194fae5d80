#include <gtest/gtest.h>

#include <algorithm>

#include "patches/support.h"
#include "unmar/patches/patches.h"

namespace unmar::test {
namespace small_test {

constexpr double kSigma = 25 / 255.;

TEST(Filter, gives_the_same_bits_with_any_number_of_threads) {
  for (const int channels : {1, 3}) {
    const Tensor y = noisy(waves({1, channels, 70, 90}), kSigma);
    const auto with = [&](int threads) {
      return patches_denoise(y, white(kSigma), {.radius = 5, .iterations = 2, .threads = threads});
    };
    const Tensor one = with(1);
    for (const int threads : {2, 3}) EXPECT_EQ(other_bits(with(threads), one), 0u) << threads;
    const auto step_with = [&](int threads) {
      return patches_step(y, one, white(kSigma), {.radius = 5, .threads = threads});
    };
    for (const int threads : {2, 3})
      EXPECT_EQ(other_bits(step_with(threads), step_with(1)), 0u) << threads;
  }
}

TEST(Filter, leaves_a_constant_picture_as_it_was) {
  // Of colours turned and turned back, and of a mean taken off and added in six passes: measured
  // 1.03e-5.
  constexpr double kRounding = 2e-5;
  for (const int channels : {1, 3})
    for (const double sigma : {0.0, kSigma, 1.0}) {
      const Tensor flat({1, channels, 30, 33}, 0.3f);
      EXPECT_LE(largest_difference(patches_denoise(flat, white(sigma)), flat), kRounding);
      EXPECT_LE(largest_difference(patches_step(flat, flat, white(sigma)), flat), kRounding);
    }
}

TEST(Filter, leaves_a_ramp_nearly_as_it_was) {
  // Measured: 0.0175 at the ends of a ramp from 0 to 1, where all similar patches are to one side,
  // and 0.0051 between them.
  constexpr double kEnds = 0.03, kMiddle = 0.01;
  const int side = 48;
  Tensor ramp({1, 1, side, side});
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      ramp.at(0, 0, y, x) = (static_cast<float>(x) + 0.5f) / static_cast<float>(side);
  const Tensor out = patches_denoise(ramp, white(kSigma));
  EXPECT_LT(largest_difference(out, ramp), kEnds);
  double middle = 0;
  for (int y = 0; y < side; ++y)
    for (int x = side / 4; x < side - side / 4; ++x)
      middle =
          std::max(middle, std::abs(static_cast<double>(out.at(0, 0, y, x) - ramp.at(0, 0, y, x))));
  EXPECT_LT(middle, kMiddle);
}

TEST(Filter, gives_back_a_picture_with_next_to_no_noise) {
  constexpr double kNearly = 0.001;  // a quarter of a step of 8 bits
  for (const double sigma : {0.0, 1e-6, 1e-4, 0.1 / 255, 0.5 / 255}) {
    const Tensor y = uniform({1, 1, 24, 25}, "texture");
    const Tensor x = patches_denoise(y, white(sigma));
    EXPECT_EQ(not_finite(x), 0u) << "sigma " << sigma;
    EXPECT_LT(largest_difference(x, y), kNearly) << "sigma " << sigma;
    const Tensor w = waves({1, 3, 24, 25});
    EXPECT_LT(largest_difference(patches_denoise(w, white(sigma)), w), kNearly)
        << "sigma " << sigma;
  }
}

TEST(Filter, of_a_picture_that_repeats_and_has_no_noise_is_that_picture) {
  // Its patches are equal in groups, so that Q has no inverse without the noise.
  constexpr double kNearly = 0.001;
  for (const int period : {2, 3, 8})
    for (const double sigma : {0.0, 1e-6, 1e-4}) {
      Tensor y({1, 1, 40, 41}, 0.5f);
      for (std::size_t i = 0; i < y.count(); ++i)
        if (i % 41 % static_cast<std::size_t>(period) == 0) y.data()[i] = 0.8f;
      const Tensor x = patches_denoise(y, white(sigma));
      EXPECT_EQ(not_finite(x), 0u) << "period " << period << ", sigma " << sigma;
      EXPECT_LT(largest_difference(x, y), kNearly) << "period " << period << ", sigma " << sigma;
    }
}

/// Pictures of random numbers, so that no two patches are equal and many are alone.
class SmallPicture : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(SmallPicture, is_finite_whatever_its_noise) {
  const auto [height, width] = GetParam();
  for (const int channels : {1, 3})
    for (const double sigma : {0.0, kSigma}) {
      const Tensor y = uniform({1, channels, height, width}, "small");
      EXPECT_EQ(not_finite(patches_denoise(y, white(sigma))), 0u) << channels << " " << sigma;
      EXPECT_EQ(not_finite(patches_step(y, y, white(sigma))), 0u) << channels << " " << sigma;
      const Tensor x = patches_denoise(y, white(kSigma), {.group = 1, .step = 1});
      EXPECT_EQ(not_finite(x), 0u);
    }
  const Image picture = to_image(uniform({1, 1, height, width}, "picture"));
  EXPECT_EQ(not_finite(to_tensor(patches_denoise(picture))), 0u);  // of noise that is estimated
}

INSTANTIATE_TEST_SUITE_P(Sizes, SmallPicture,
                         testing::Values(std::pair{1, 1}, std::pair{1, 40}, std::pair{40, 1},
                                         std::pair{1, 200}, std::pair{2, 60}, std::pair{5, 3},
                                         std::pair{3, 50}, std::pair{7, 7}, std::pair{8, 6}),
                         [](const auto& size) {
                           return std::to_string(size.param.first) + "x" +
                                  std::to_string(size.param.second);
                         });

TEST(Filter, reaches_every_pixel_with_patches_of_any_size) {
  // Few in a group, and most of them elsewhere: the groups' own patches must cover the picture.
  const Tensor y = uniform({1, 1, 33, 37}, "texture");
  for (int size = 1; size <= 16; ++size) {
    const Tensor x = patches_denoise(y, white(kSigma), {.size = size, .group = 2, .iterations = 1});
    EXPECT_EQ(not_finite(x), 0u) << "size " << size << ", the default step";
    const Tensor far = patches_denoise(y, white(kSigma),
                                       {.size = size, .group = 2, .step = size, .iterations = 1});
    EXPECT_EQ(not_finite(far), 0u) << "size " << size;
  }
}

TEST(Filter, takes_pictures_of_two_to_eight_channels) {
  for (int channels = 2; channels <= 8; ++channels) {
    const Tensor clean = waves({1, channels, 20, 21});
    const Tensor y = noisy(clean, kSigma);
    const Tensor x = patches_denoise(y, white(kSigma), {.iterations = 2});
    EXPECT_EQ(x.shape(), y.shape());
    EXPECT_GT(decibels(x, clean), decibels(y, clean) + 3) << channels;
  }
}

TEST(Filter, of_a_picture_keeps_its_source_and_ends_in_0_to_1) {
  Image image = to_image(noisy(Tensor({1, 3, 24, 24}, 0.02f), 0.1));
  image.source.format = SampleFormat::u16;
  image.source.alpha.assign(24 * 24, 0.5f);
  const Image out = patches_denoise(image, white(0.1), {.iterations = 1});
  EXPECT_EQ(out.source.format, SampleFormat::u16);
  EXPECT_EQ(out.source.alpha, image.source.alpha);
  EXPECT_GE(*std::ranges::min_element(out.pixels()), 0.f);
}

}  // namespace small_test
}  // namespace unmar::test
