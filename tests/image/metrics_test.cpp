#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

// The expected numbers come from scikit-image 0.19.3 in double: peak_signal_noise_ratio and
// structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
// data_range=1), except where a test says otherwise.
constexpr double kSsimTolerance = 1e-8;  // two orders of summation in double
constexpr double kPsnrTolerance = 1e-7;  // dB
constexpr double kLumaTolerance = 1e-5;  // dB; luma is rounded to float here, not there

struct Pair {
  Image a, b;
};

Pair pictures(int channels, int height, int width) {
  Pair pair{Image(channels, height, width), Image(channels, height, width)};
  for (int c = 0; c < channels; ++c) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const float a = static_cast<float>((x * 7 + y * 13 + c * 29 + x * y) % 64) / 63.f;
        pair.a.at(c, y, x) = a;
        pair.b.at(c, y, x) = a + static_cast<float>((x * 5 + y * 3 + c * 11) % 17 - 8) / 80.f;
      }
    }
  }
  return pair;
}

TEST(Psnr, is_twenty_for_a_constant_error_of_a_tenth) {
  // 1e-7 in a float near 0.5 is 1e-6 dB.
  EXPECT_NEAR(psnr(Image(3, 5, 4, 0.5f), Image(3, 5, 4, 0.4f)), 20, 1e-5);
}

TEST(Psnr, is_infinite_for_equal_pictures) {
  const Image image = busy_picture(3, 5, 4);
  EXPECT_EQ(psnr(image, image), HUGE_VAL);
}

TEST(Psnr, equals_scikit_image) {
  const Pair rgb = pictures(3, 31, 47), gray = pictures(1, 17, 31);
  EXPECT_NEAR(psnr(rgb.a, rgb.b), 24.25993555, kPsnrTolerance);
  EXPECT_NEAR(psnr(gray.a, gray.b), 24.25968711, kPsnrTolerance);
  EXPECT_NEAR(psnr(rgb.a, rgb.b, {.border = 4}), 24.26015791, kPsnrTolerance);
  EXPECT_NEAR(psnr(rgb.a, rgb.b, {.luma = true}), 31.63027883, kLumaTolerance);
  EXPECT_NEAR(psnr(rgb.a, rgb.b, {.luma = true, .border = 4}), 31.63552656, kLumaTolerance);
}

TEST(Psnr, sees_nothing_of_the_border) {
  const Image a = busy_picture(1, 9, 8);
  Image b = a;
  for (int x = 0; x < 8; ++x) b.at(0, 0, x) = b.at(0, 8, x) = 7.f;
  for (int y = 0; y < 9; ++y) b.at(0, y, 0) = b.at(0, y, 7) = 7.f;
  EXPECT_EQ(psnr(a, b, {.border = 1}), HUGE_VAL);
  b.at(0, 1, 1) += 0.5f;
  EXPECT_LT(psnr(a, b, {.border = 1}), 30);
}

TEST(Ssim, equals_scikit_image) {
  const Pair rgb = pictures(3, 31, 47), gray = pictures(1, 17, 31), low = pictures(3, 12, 40);
  EXPECT_NEAR(ssim(rgb.a, rgb.b), 0.9785514514, kSsimTolerance);
  EXPECT_NEAR(ssim(gray.a, gray.b), 0.9785162082, kSsimTolerance);
  EXPECT_NEAR(ssim(low.a, low.b), 0.9784406122, kSsimTolerance);
  EXPECT_NEAR(ssim(rgb.a, rgb.b, {.border = 4}), 0.9784676635, kSsimTolerance);
}

TEST(Ssim, equals_scikit_image_for_luma) {
  const Pair rgb = pictures(3, 31, 47);
  constexpr double kFloatLuma = 1e-6;  // luma is rounded to float here, not there
  EXPECT_NEAR(ssim(rgb.a, rgb.b, {.luma = true}), 0.9778122364, kFloatLuma);
  EXPECT_NEAR(ssim(rgb.a, rgb.b, {.luma = true, .border = 4}), 0.9774051245, kFloatLuma);
}

TEST(Ssim, of_exactly_one_window_equals_scikit_image) {
  const Pair pair = pictures(1, 11, 11);
  EXPECT_NEAR(ssim(pair.a, pair.b), 0.9783903080, kSsimTolerance);
}

TEST(Ssim, keeps_its_digits_where_the_contrast_is_low) {
  Pair pair = pictures(1, 31, 47);
  for (Image* image : {&pair.a, &pair.b}) {
    for (float& value : image->pixels()) value = 0.9f + value * 0.01f;
  }
  constexpr double kFloatPixels = 1e-6;  // a float near 0.9 is 6e-8 off, of a contrast of 0.01
  EXPECT_NEAR(ssim(pair.a, pair.b), 0.9995913099, kFloatPixels);
}

TEST(Ssim, takes_the_largest_odd_window_in_small_pictures) {
  // By hand from the definition: 5x5 weights exp(-r^2/4.5), normalised, wherever they fit.
  const Pair pair = pictures(1, 5, 7);
  EXPECT_NEAR(ssim(pair.a, pair.b), 0.9770200809, kSsimTolerance);
  const Pair even = pictures(1, 6, 6);  // window 5, not 6
  EXPECT_NEAR(ssim(even.a, even.b), 0.9774920388, kSsimTolerance);
}

TEST(Ssim, of_a_single_pixel_compares_the_means) {
  const double a = 0.5, b = 0.25, c1 = 1e-4;
  EXPECT_NEAR(ssim(Image(1, 1, 1, 0.5f), Image(1, 1, 1, 0.25f)),
              (2 * a * b + c1) / (a * a + b * b + c1), kSsimTolerance);
}

TEST(Ssim, is_one_for_equal_pictures_and_symmetric) {
  const Pair pair = pictures(3, 20, 13);
  EXPECT_NEAR(ssim(pair.a, pair.a), 1, 1e-12);
  EXPECT_NEAR(ssim(pair.a, pair.b), ssim(pair.b, pair.a), 1e-12);
  EXPECT_LT(ssim(pair.a, pair.b), 0.99);
}

TEST(Metrics, refuse_pictures_of_different_size_or_channels) {
  const Image rgb(3, 8, 9), gray(1, 8, 9), turned(3, 9, 8);
  for (const auto metric : {psnr, ssim}) {
    expect_error(ErrorCode::bad_argument, {"9x8 with 3 channels", "9x8 with 1"},
                 [&] { metric(rgb, gray, {}); });
    expect_error(ErrorCode::bad_argument, {"8x9 with 3"}, [&] { metric(rgb, turned, {}); });
    expect_error(ErrorCode::bad_argument, {"0x0"}, [&] { metric(Image(), Image(), {}); });
  }
}

TEST(Metrics, refuse_a_border_that_leaves_nothing) {
  const Image image(1, 8, 9);
  for (const auto metric : {psnr, ssim}) {
    for (const int border : {4, -1, std::numeric_limits<int>::max()}) {
      expect_error(ErrorCode::bad_argument, {"a border of " + std::to_string(border), "9x8"},
                   [&] { metric(image, image, {.border = border}); });
    }
    EXPECT_NO_THROW(metric(image, image, {.border = 3}));
  }
}

}  // namespace
}  // namespace unmar
