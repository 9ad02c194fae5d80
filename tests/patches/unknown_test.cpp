#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "error_text.h"
#include "patches/support.h"
#include "unmar/patches/patches.h"

namespace unmar::test {
namespace unknown_test {

using testing::AllOf;
using testing::HasSubstr;

constexpr double kSigma = 25 / 255.;
constexpr Shape kShape{1, 3, 26, 29};
const PatchOptions kQuick{.radius = 6, .iterations = 2, .threads = 1};

/// 1 with probability 0.8.
Tensor some_known(const Shape& shape) {
  Tensor known(shape);
  Random(5, "known").bernoulli(known.values(), 0.8f);
  return known;
}

float known_at(const Tensor& known, int c, int y, int x) {
  return known.at(0, known.shape().c == 1 ? 0 : c, y, x);
}

/// y with other values where nothing is known.
Tensor with_unknown(Tensor y, const Tensor& known, const Tensor& values) {
  const Shape& s = y.shape();
  for (int c = 0; c < s.c; ++c)
    for (int v = 0; v < s.h; ++v)
      for (int u = 0; u < s.w; ++u)
        if (known_at(known, c, v, u) == 0.f) y.at(0, c, v, u) = values.at(0, c, v, u);
  return y;
}

std::string numeric_error(const Tensor& y, const Tensor& known = {}) {
  return error_text([&] { patches_denoise(y, white(kSigma), kQuick, known); }, ErrorCode::numeric);
}

TEST(NotFinite, is_refused_and_its_place_is_named) {
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    Tensor y(kShape, 0.5f);
    y.at(0, 2, 17, 5) = bad;
    EXPECT_THAT(numeric_error(y),
                AllOf(HasSubstr("channel 2"), HasSubstr("(5, 17)"), HasSubstr("not known")));
    Tensor known(kShape, 1.f);
    EXPECT_THAT(numeric_error(y, known), HasSubstr("(5, 17)"));
    known.at(0, 1, 17, 5) = 0.f;  // another channel
    EXPECT_THAT(numeric_error(y, known), HasSubstr("(5, 17)"));
    known.at(0, 2, 17, 5) = 0.f;
    EXPECT_EQ(numeric_error(y, known), "(no error)");
  }
}

TEST(NotFinite, in_a_pilot_is_refused) {
  Tensor pilot(kShape, 0.5f);
  pilot.at(0, 1, 3, 4) = kNan;
  const Tensor y(kShape, 0.5f);
  EXPECT_THAT(
      error_text([&] { patches_step(y, pilot, white(kSigma), kQuick); }, ErrorCode::numeric),
      AllOf(HasSubstr("channel 1"), HasSubstr("(4, 3)")));
}

TEST(Unknown, values_change_nothing_whatever_they_are) {
  const Tensor clean = waves(kShape), y = noisy(clean, kSigma);
  for (const int channels : {1, 3}) {
    const Tensor known = some_known({1, channels, kShape.h, kShape.w});
    const auto both = [&](const Tensor& values) {
      const Tensor filled = with_unknown(y, known, values);
      return std::pair{patches_denoise(filled, white(kSigma), kQuick, known),
                       patches_step(filled, clean, white(kSigma), kQuick, known)};
    };
    const auto [x, step] = both(Tensor(kShape));
    EXPECT_EQ(not_finite(x), 0u);
    EXPECT_EQ(not_finite(step), 0u);
    for (const Tensor& values :
         {Tensor(kShape, kNan), Tensor(kShape, kInfinity), noisy(Tensor(kShape), 100)}) {
      const auto [other, other_step] = both(values);
      EXPECT_EQ(other_bits(x, other), 0u);
      EXPECT_EQ(other_bits(step, other_step), 0u);
    }
  }
}

TEST(Unknown, pixels_are_filled_almost_as_well_as_if_they_were_known) {
  constexpr double kLost = 0.5;  // dB; measured: it gains 0.17, as it is filtered twice
  const Tensor clean = waves(kShape), y = noisy(clean, kSigma);
  const Tensor known = some_known({1, 1, kShape.h, kShape.w});
  const double all = decibels(patches_denoise(y, white(kSigma), kQuick), clean);
  const double some = decibels(
      patches_denoise(with_unknown(y, known, Tensor(kShape)), white(kSigma), kQuick, known), clean);
  EXPECT_GT(some, all - kLost);
}

TEST(Unknown, pixels_far_from_all_that_is_known_are_filled) {
  for (const auto& [height, width] : {std::pair{1, 7}, {7, 1}, {13, 14}, {40, 23}}) {
    const Shape shape{1, 1, height, width};
    Tensor known(shape), y(shape, kNan);
    known.at(0, 0, height - 1, width - 1) = 1.f;
    y.at(0, 0, height - 1, width - 1) = 0.7f;
    const Tensor x = patches_denoise(y, white(kSigma), kQuick, known);
    EXPECT_EQ(not_finite(x), 0u) << height << "x" << width;
    EXPECT_LT(largest_difference(x, Tensor(shape, 0.7f)), 1e-5) << height << "x" << width;
  }
}

TEST(Unknown, a_whole_channel_is_filled_or_refused) {
  Tensor y = noisy(waves(kShape), kSigma), known(kShape, 1.f);
  for (int v = 0; v < kShape.h; ++v)
    for (int u = 0; u < kShape.w; ++u) known.at(0, 1, v, u) = 0.f, y.at(0, 1, v, u) = kNan;
  try {
    EXPECT_EQ(not_finite(patches_denoise(y, white(kSigma), kQuick, known)), 0u);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_argument);
  }
}

TEST(Unknown, is_nothing_under_a_mask_of_ones) {
  const Tensor y = noisy(waves(kShape), kSigma);
  EXPECT_EQ(other_bits(patches_denoise(y, white(kSigma), kQuick, Tensor(kShape, 1.f)),
                       patches_denoise(y, white(kSigma), kQuick)),
            0u);
}

TEST(Filter, takes_salt_and_pepper_away_if_the_model_has_impulses) {
  Image image = to_image(noisy(waves(kShape), 0.02));
  const Image clean = to_image(waves(kShape));
  for (std::size_t i = 0; i < image.count(); i += 17) image.pixels()[i] = i % 2 == 0 ? 0.f : 1.f;
  NoiseModel model = white(0.02);
  model.impulses = 1. / 17;
  EXPECT_GT(psnr(patches_denoise(image, model, kQuick), clean), 30);
  EXPECT_LT(psnr(patches_denoise(image, white(0.02), kQuick), clean), 25);
}

}  // namespace unknown_test
}  // namespace unmar::test
