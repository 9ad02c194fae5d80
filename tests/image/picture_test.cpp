#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

// A float sum of three products of numbers below 1.
constexpr double kFloatRounding = 2e-7;

TEST(Picture, starts_with_the_given_value_everywhere) {
  const Image image(3, 2, 5, 0.25f);
  EXPECT_EQ(image.count(), 30u);
  EXPECT_THAT(image.pixels(), testing::Each(0.25f));
  EXPECT_TRUE(Image().empty());
}

TEST(Picture, refuses_no_channels_and_empty_sides) {
  for (const auto& [c, h, w] : {std::array{0, 4, 4}, {1, 0, 4}, {3, 4, -1}}) {
    expect_error(ErrorCode::bad_argument, {"Image: ", std::to_string(w) + "x" + std::to_string(h)},
                 [&] { Image(c, h, w); });
  }
}

TEST(Picture, keeps_planes_one_after_another_row_by_row) {
  Image image(3, 2, 4);
  image.at(2, 1, 3) = 1.f;
  EXPECT_EQ(image.pixels().back(), 1.f);
  image.plane(1)[5] = 2.f;
  EXPECT_EQ(image.at(1, 1, 1), 2.f);
  EXPECT_EQ(image.pixels()[8 + 5], 2.f);
}

TEST(ToGray, weighs_red_green_and_blue_as_rec_601) {
  Image image(3, 1, 3);
  for (int i = 0; i < 3; ++i) image.at(i, 0, i) = 1.f;
  const Image gray = to_gray(image);
  ASSERT_EQ(gray.channels(), 1);
  EXPECT_NEAR(gray.at(0, 0, 0), 0.299, kFloatRounding);
  EXPECT_NEAR(gray.at(0, 0, 1), 0.587, kFloatRounding);
  EXPECT_NEAR(gray.at(0, 0, 2), 0.114, kFloatRounding);
}

TEST(ToGray, leaves_gray_alone) {
  const Image gray = busy_picture(1, 3, 4);
  EXPECT_EQ(largest_difference(to_gray(gray), gray), 0);
}

TEST(Luma, runs_from_16_to_235_of_255) {
  for (const int channels : {1, 3}) {
    EXPECT_NEAR(luma(Image(channels, 1, 1, 0.f)).at(0, 0, 0), 16 / 255., kFloatRounding);
    EXPECT_NEAR(luma(Image(channels, 1, 1, 1.f)).at(0, 0, 0), 235 / 255., kFloatRounding);
    EXPECT_EQ(luma(Image(channels, 1, 1)).channels(), 1);
  }
}

TEST(Luma, weighs_each_channel_as_the_papers_do) {
  Image image(3, 1, 3);
  for (int i = 0; i < 3; ++i) image.at(i, 0, i) = 1.f;
  const Image y = luma(image);
  EXPECT_NEAR(y.at(0, 0, 0), (65.481 + 16) / 255, kFloatRounding);
  EXPECT_NEAR(y.at(0, 0, 1), (128.553 + 16) / 255, kFloatRounding);
  EXPECT_NEAR(y.at(0, 0, 2), (24.966 + 16) / 255, kFloatRounding);
}

TEST(Crop, cuts_pixels_and_alpha_at_the_same_place) {
  Image image = busy_picture(3, 5, 7);
  for (int i = 0; i < 35; ++i) image.source.alpha.push_back(static_cast<float>(i) / 35.f);
  image.source.range = {3, 99};
  const Image part = crop(image, 1, 2, 3, 4);
  ASSERT_EQ(part.height(), 3);
  ASSERT_EQ(part.width(), 4);
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 4; ++x) EXPECT_EQ(part.at(c, y, x), image.at(c, y + 1, x + 2));
    }
  }
  ASSERT_EQ(part.source.alpha.size(), 12u);
  EXPECT_EQ(part.source.alpha[0], image.source.alpha[1 * 7 + 2]);
  EXPECT_EQ(part.source.alpha[11], image.source.alpha[3 * 7 + 5]);
  EXPECT_EQ(part.source.range, image.source.range);
}

TEST(Crop, refuses_what_is_not_all_inside) {
  const Image image(1, 5, 7);
  const int huge = std::numeric_limits<int>::max();
  for (const auto& [y, x, h, w] : {std::array{-1, 0, 2, 2},
                                   {0, 6, 2, 2},
                                   {4, 0, 2, 2},
                                   {0, 0, 0, 2},
                                   {0, 0, 2, 8},
                                   {huge, 0, 2, 2},
                                   {1, 0, huge, 2}}) {
    expect_error(ErrorCode::bad_argument, {"crop: ", "5"}, [&] { crop(image, y, x, h, w); });
  }
  EXPECT_EQ(crop(image, 0, 0, 5, 7).count(), 35u);
}

TEST(Clamped, moves_only_values_outside_the_limits) {
  Image image(1, 1, 4);
  const float values[] = {-0.5f, 0.25f, 1.f, 1.5f};
  std::copy(std::begin(values), std::end(values), image.pixels().begin());
  EXPECT_THAT(clamped(image).pixels(), testing::ElementsAre(0.f, 0.25f, 1.f, 1.f));
  EXPECT_THAT(clamped(image, -1.f, 0.5f).pixels(), testing::ElementsAre(-0.5f, 0.25f, 0.5f, 0.5f));
}

}  // namespace
}  // namespace unmar
