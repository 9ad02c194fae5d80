#include "tasks/support.h"

namespace unmar::tasks_test {
namespace enlarge_test {

constexpr float kRounding = 1e-6f;  // sums of four products

TEST(EnlargeBicubic, KeepsAConstantConstantUpToTheEdges) {
  const Image large = enlarge_bicubic(Image(3, 2, 3, 0.7f), 4);
  EXPECT_EQ(large.height(), 8);
  EXPECT_EQ(large.width(), 12);
  for (const float v : large.pixels()) EXPECT_NEAR(v, 0.7f, kRounding);
}

TEST(EnlargeBicubic, ContinuesARampInTheInterior) {
  Image ramp(1, 4, 8);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 8; ++x) ramp.at(0, y, x) = 0.1f * static_cast<float>(x);
  const Image large = enlarge_bicubic(ramp, 2);
  for (int x = 4; x < 12; ++x) {
    const float position = (static_cast<float>(x) + 0.5f) / 2 - 0.5f;  // half-pixel centres
    EXPECT_NEAR(large.at(0, 3, x), 0.1f * position, kRounding) << x;
  }
}

TEST(EnlargeBicubic, WeighsAnImpulseByKeysKernel) {
  Image impulse(1, 1, 9);
  impulse.at(0, 0, 4) = 1.f;
  const Image large = enlarge_bicubic(impulse, 2);
  // Twice as wide, output 8 lies 0.25 left of input 4; Keys with a = -0.5 at 0.25 is 0.8671875,
  // at 0.75 0.2265625, and the negative lobes are cut at 0.
  EXPECT_NEAR(large.at(0, 0, 8), 0.8671875f, kRounding);
  EXPECT_NEAR(large.at(0, 0, 9), 0.8671875f, kRounding);
  EXPECT_NEAR(large.at(0, 1, 7), 0.2265625f, kRounding);
  EXPECT_EQ(large.at(0, 0, 6), 0.f);
}

TEST(EnlargeBicubic, TurnsWithThePicture) {
  const Image image = test_picture(5, 7, 1);
  Image turned(1, 7, 5);
  for (int y = 0; y < 5; ++y)
    for (int x = 0; x < 7; ++x) turned.at(0, x, y) = image.at(0, y, x);
  const Image a = enlarge_bicubic(image, 3), b = enlarge_bicubic(turned, 3);
  for (int y = 0; y < a.height(); ++y)
    for (int x = 0; x < a.width(); ++x) EXPECT_NEAR(a.at(0, y, x), b.at(0, x, y), kRounding);
}

TEST(EnlargeBicubic, EnlargesTheAlphaAndKeepsTheSourceFacts) {
  Image image(1, 2, 2, 0.5f);
  image.source.format = SampleFormat::u16;
  image.source.alpha = {1.f, 1.f, 0.f, 0.f};
  const Image large = enlarge_bicubic(image, 2);
  EXPECT_EQ(large.source.format, SampleFormat::u16);
  ASSERT_EQ(large.source.alpha.size(), 16u);
  EXPECT_FLOAT_EQ(large.source.alpha[0], 1.f);
  EXPECT_FLOAT_EQ(large.source.alpha[4], 0.75f);
  EXPECT_FLOAT_EQ(large.source.alpha[15], 0.f);
}

}  // namespace enlarge_test
}  // namespace unmar::tasks_test
