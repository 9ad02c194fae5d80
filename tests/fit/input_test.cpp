// What the network starts from.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "error_text.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace input_test {

using test::error_text;
using testing::HasSubstr;

ProblemOptions of(InputKind kind, NetworkOptions network = ResnetOptions{}) {
  ProblemOptions options;
  options.network = std::move(network);
  options.input = kind;
  return options;
}

TEST(MakeInput, FourierIsWavesAlongBothSides) {
  ProblemOptions options = of(InputKind::fourier);
  options.input_channels = 12;  // frequencies 1, 16, 256
  const Tensor z = make_input({1, 3, 9, 5}, options);
  ASSERT_EQ(z.shape(), (Shape{1, 12, 9, 5}));
  const double pi = std::numbers::pi;
  EXPECT_NEAR(z.at(0, 0, 3, 2), std::sin(pi * 2 / 4), 1e-6);
  EXPECT_NEAR(z.at(0, 1, 3, 1), std::cos(pi / 4), 1e-6);
  EXPECT_NEAR(z.at(0, 6, 1, 4), std::sin(16 * pi / 8), 1e-5);
  EXPECT_NEAR(z.at(0, 11, 1, 0), std::cos(256 * pi / 8), 1e-4);
  options.input_channels = 10;
  EXPECT_THAT(error_text([&] { make_input({1, 3, 9, 5}, options); }), HasSubstr("multiple of 4"));
}

TEST(MakeInput, APictureIsMirroredToTheSizeOfTheNetwork) {
  // Without a skip the network wants multiples of 4.
  ProblemOptions options =
      of(InputKind::observed, SkipOptions{.down = {4, 4}, .up = {4, 4}, .skip = {0, 0}});
  options.picture = Tensor({1, 1, 4, 6});
  for (int x = 0; x < 6; ++x) options.picture.at(0, 0, 0, x) = static_cast<float>(x);
  const Tensor z = make_input({1, 1, 4, 6}, options);
  ASSERT_EQ(z.shape(), (Shape{1, 1, 8, 8}));
  std::vector<float> row;
  for (int x = 0; x < 8; ++x) row.push_back(z.at(0, 0, 2, x));
  EXPECT_THAT(row, testing::ElementsAre(1, 0, 1, 2, 3, 4, 5, 4));
}

TEST(MakeInput, APictureIsAveragedForADecoder) {
  ProblemOptions options = of(InputKind::guide, DecoderOptions{.layers = 1});
  options.picture = Tensor({1, 1, 2, 4});
  for (int x = 0; x < 4; ++x)
    options.picture.at(0, 0, 0, x) = options.picture.at(0, 0, 1, x) = static_cast<float>(x * x);
  const Tensor z = make_input({1, 3, 2, 4}, options);
  ASSERT_EQ(z.shape(), (Shape{1, 1, 1, 2}));
  EXPECT_FLOAT_EQ(z.at(0, 0, 0, 0), 0.5f);
  EXPECT_FLOAT_EQ(z.at(0, 0, 0, 1), 6.5f);
}

TEST(MakeInput, APictureOfAnotherSizeIsRefused) {
  ProblemOptions options = of(InputKind::guide);
  EXPECT_THAT(error_text([&] { make_input({1, 3, 8, 8}, options); }), HasSubstr("is empty"));
  options.picture = Tensor({1, 3, 8, 9});
  EXPECT_THAT(error_text([&] { make_input({1, 3, 8, 8}, options); }), HasSubstr("[1,3,8,9]"));
}

}  // namespace input_test
}  // namespace unmar
