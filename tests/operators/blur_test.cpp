#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <ostream>
#include <string>

#include "error_text.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace blur_test {

using test::error_text;
using testing::HasSubstr;

// Of sums of up to some hundred floats near 1.
constexpr double kRounding = 1e-5;

/// What becomes of a bright pixel in the middle of 31 x 31.
Tensor spread(const Operator& A) {
  Tensor x({1, 1, 31, 31});
  x.at(0, 0, 15, 15) = 1.f;
  return apply(A, x);
}

float at(const Tensor& y, int row, int column) { return y.at(0, 0, 15 + row, 15 + column); }

double sum(const Tensor& y) { return std::reduce(y.values().begin(), y.values().end(), 0.0); }

struct Case {
  const char* name;
  std::function<std::unique_ptr<Operator>()> make;
};
void PrintTo(const Case& blur, std::ostream* out) { *out << blur.name; }

const Case kBlurs[] = {
    {"gaussian", [] { return make_gaussian_blur(2); }},
    {"small_gaussian", [] { return make_gaussian_blur(0.05); }},
    {"motion", [] { return make_motion_blur(9.5, 25); }},
    {"disk", [] { return make_disk_blur(3.3); }},
    {"small_disk", [] { return make_disk_blur(0.001); }},
    {"kernel",
     [] {
       return make_kernel_blur(Tensor({1, 1, 4, 7}, 3.f));
     }},
};

class AnyBlur : public ::testing::TestWithParam<Case> {};

TEST_P(AnyBlur, KeepsTheLightOfAPixelAndAnEvenPicture) {
  const auto A = GetParam().make();
  EXPECT_NEAR(sum(spread(*A)), 1, kRounding);
  const Tensor even = apply(*A, Tensor({1, 3, 21, 17}, 0.25f));
  for (const float v : even.values())
    EXPECT_NEAR(v, 0.25, kRounding);  // up to the edges, which are mirrored
}

INSTANTIATE_TEST_SUITE_P(Blurs, AnyBlur, ::testing::ValuesIn(kBlurs),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(GaussianBlur, SpreadsByItsSigma) {
  const Tensor y = spread(*make_gaussian_blur(1.5));
  double squares = 0;
  for (int row = -15; row <= 15; ++row)
    for (int column = -15; column <= 15; ++column) {
      squares += static_cast<double>(at(y, row, column)) * row * row;
      EXPECT_NEAR(at(y, row, column), at(y, -column, row), 1e-8);
    }
  EXPECT_NEAR(squares, 1.5 * 1.5, 5e-3);  // cut at 4 sigma: 2e-3 less
  EXPECT_NEAR(at(y, 0, 1) / at(y, 0, 0), std::exp(-0.5 / 2.25), kRounding);
}

TEST(MotionBlur, IsALineOfEqualWeights) {
  const Tensor y = spread(*make_motion_blur(5, 0));
  for (int column = -15; column <= 15; ++column)
    EXPECT_NEAR(at(y, 0, column), std::abs(column) <= 2 ? 0.2 : 0, 1e-6) << column;
  const Tensor up = spread(*make_motion_blur(4, 90));
  for (int row = -15; row <= 15; ++row) {
    const int far = std::abs(row);
    EXPECT_NEAR(at(up, row, 0), far < 2 ? 0.25 : far == 2 ? 0.125 : 0, 1e-6) << row;
  }
}

TEST(MotionBlur, TurnsCounterClockwise) {
  const Tensor y = spread(*make_motion_blur(7, 45));
  EXPECT_GT(at(y, -2, 2), 0.15f);  // up and to the right
  EXPECT_EQ(at(y, 2, 2), 0.f);
  const Tensor full = spread(*make_motion_blur(7, 225));
  for (std::size_t i = 0; i < y.count(); ++i) EXPECT_NEAR(y.data()[i], full.data()[i], 1e-6);
}

TEST(DiskBlur, IsEvenInsideAndHasTheAreaOfADisk) {
  constexpr double kRadius = 4.5;
  const Tensor y = spread(*make_disk_blur(kRadius));
  const double one = 1 / (M_PI * kRadius * kRadius);
  EXPECT_NEAR(at(y, 0, 0), one, 1e-3 * one);
  EXPECT_NEAR(at(y, 2, -2), one, 1e-3 * one);
  EXPECT_GT(at(y, 3, 3), 0.5 * one);
  EXPECT_LT(at(y, 3, 3), one);
  EXPECT_EQ(at(y, 4, 4), 0.f);
  EXPECT_EQ(at(y, 0, 5), 0.f);
}

TEST(KernelBlur, ShowsTheKernelAroundABrightPixel) {
  Tensor odd({1, 1, 3, 3}), even({1, 1, 2, 4});
  std::iota(odd.values().begin(), odd.values().end(), 1.f);
  std::iota(even.values().begin(), even.values().end(), 1.f);
  const Tensor y = spread(*make_kernel_blur(odd)), z = spread(*make_kernel_blur(even));
  for (int row = 0; row < 3; ++row)
    for (int column = 0; column < 3; ++column)
      EXPECT_NEAR(at(y, row - 1, column - 1), odd.at(0, 0, row, column) / 45, 1e-7);
  for (int row = 0; row < 2; ++row)
    for (int column = 0; column < 4; ++column)
      EXPECT_NEAR(at(z, row - 1, column - 2), even.at(0, 0, row, column) / 36, 1e-7);
}

TEST(Blur, MirrorsThePictureAtItsEdges) {
  Tensor x({1, 1, 1, 4});
  std::iota(x.values().begin(), x.values().end(), 0.f);
  const Tensor y = apply(*make_kernel_blur(Tensor({1, 1, 1, 3}, 1.f)), x);
  EXPECT_THAT(y.values(),
              testing::Pointwise(testing::FloatNear(1e-6f), {2.f / 3, 1.f, 2.f, 7.f / 3}));
}

TEST(Blur, NamesWhatItCannotDo) {
  EXPECT_THAT(error_text([] { make_gaussian_blur(0); }),
              HasSubstr("gaussian blur: sigma must be above 0 and at most 125, got 0"));
  EXPECT_THAT(error_text([] { make_gaussian_blur(NAN); }), HasSubstr("got nan"));
  EXPECT_THAT(error_text([] { make_motion_blur(2000, 0); }), HasSubstr("at most 1000, got 2000"));
  EXPECT_THAT(error_text([] { make_motion_blur(3, INFINITY); }), HasSubstr("angle must be finite"));
  EXPECT_THAT(error_text([] { make_disk_blur(-1); }), HasSubstr("disk blur: the radius must be"));
  EXPECT_THAT(error_text([] {
                make_kernel_blur(Tensor({1, 3, 5, 5}, 1.f));
              }),
              HasSubstr("blur: the kernel must be [1,1,h,w] of at most 1001 px, got [1,3,5,5]"));
  EXPECT_THAT(error_text([] {
                make_kernel_blur(Tensor({1, 1, 5, 5}));
              }),
              HasSubstr("must sum to more than 0, got 0"));
  EXPECT_THAT(error_text([] {
                make_kernel_blur(Tensor({1, 1, 1, 1}, INFINITY));
              }),
              HasSubstr("must be finite, got inf"));
  EXPECT_THAT(error_text([] {
                make_gaussian_blur(2)->output_shape({1, 3, 8, 40});
              }),
              HasSubstr("gaussian blur of sigma 2: reaches 8x8 pixels around each, which a picture "
                        "of 40x8 does not have"));
}

TEST(ParseBlur, MakesTheBlurThatTheWordsName) {
  EXPECT_EQ(parse_blur("gauss:1.5")->describe(), make_gaussian_blur(1.5)->describe());
  EXPECT_EQ(parse_blur("motion:9,-30")->describe(), make_motion_blur(9, -30)->describe());
  EXPECT_EQ(parse_blur("disk:3")->describe(), make_disk_blur(3)->describe());
}

TEST(ParseBlur, SaysHowToWriteIt) {
  const auto error = [](const char* text) { return error_text([&] { parse_blur(text); }); };
  EXPECT_THAT(error("motion:9"), HasSubstr("blur 'motion:9': give motion:LENGTH,ANGLE"));
  for (const char* wrong : {"gauss", "gauss:", "gauss:2,3", "gauss:2 ", "gauss:2,", "gauss:x"})
    EXPECT_THAT(error(wrong), HasSubstr("give gauss:SIGMA")) << wrong;
  EXPECT_THAT(error("gaus:2"), HasSubstr("none of gauss:SIGMA, motion:LENGTH,ANGLE and disk"));
  EXPECT_THAT(error(""), HasSubstr("blur '': is none of"));
  EXPECT_THAT(error("disk:-3"), HasSubstr("above 0 and at most 500, got -3"));
}

TEST(Blur, DescribesItself) {
  EXPECT_EQ(make_gaussian_blur(2.5)->describe(), "gaussian blur of sigma 2.5");
  EXPECT_EQ(make_motion_blur(9, 30)->describe(), "motion blur of 9 px at 30 degrees");
  EXPECT_EQ(make_disk_blur(3)->describe(), "disk blur of radius 3");
  EXPECT_EQ(make_kernel_blur(Tensor({1, 1, 2, 4}, 1.f))->describe(), "blur by a kernel of 4x2");
}

}  // namespace blur_test
}  // namespace unmar
