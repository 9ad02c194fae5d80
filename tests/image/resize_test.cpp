#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

// One 8-bit step.
constexpr double kStep = 1. / 255;

TEST(Resized, keeps_a_constant_at_every_size) {
  for (const auto& [h, w] : {std::pair{1, 1}, {5, 3}, {64, 64}, {200, 31}}) {
    const Image result = resized(Image(3, 64, 48, 0.4f), h, w);
    EXPECT_EQ(result.height(), h);
    EXPECT_EQ(result.width(), w);
    EXPECT_LE(largest_difference(result, Image(3, h, w, 0.4f)), 1e-5);
  }
}

TEST(Resized, to_its_own_size_is_the_picture) {
  const Image picture = busy_picture(3, 9, 7);
  EXPECT_EQ(largest_difference(resized(picture, 9, 7), picture), 0);
}

TEST(Resized, smaller_shows_the_same_gradient) {
  const Image picture = smooth_picture(3, 64, 96);
  const Image half = resized(picture, 32, 48);
  for (int c = 0; c < 3; ++c)
    for (int y = 4; y < 28; ++y)
      for (int x = 4; x < 44; ++x) {
        const float mean = (picture.at(c, 2 * y, 2 * x) + picture.at(c, 2 * y, 2 * x + 1) +
                            picture.at(c, 2 * y + 1, 2 * x) + picture.at(c, 2 * y + 1, 2 * x + 1)) /
                           4;
        EXPECT_NEAR(half.at(c, y, x), mean, kStep);
      }
}

TEST(Resized, smaller_does_not_alias) {
  Image stripes(1, 64, 64);
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; x += 2) stripes.at(0, y, x) = 1.f;
  const Image small = resized(stripes, 16, 16);
  for (int x = 2; x < 14; ++x) EXPECT_NEAR(small.at(0, 8, x), 0.5f, 0.02f);
}

TEST(Resized, refuses_sides_that_make_no_picture) {
  expect_error(ErrorCode::bad_argument, {"sides must be 1 to 65536 px, got 5x0"},
               [] { resized(Image(1, 4, 4), 0, 5); });
  expect_error(ErrorCode::bad_argument, {"the picture is empty"}, [] { resized(Image(), 5, 5); });
}

}  // namespace
}  // namespace unmar
