#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

/// How many pixels of a plane are neither white nor within the pictures' gray of one half.
int ink(const Image& sheet) {
  int count = 0;
  for (const float value : sheet.plane(0)) count += value < 0.4f;
  return count;
}

TEST(ContactSheet, puts_rows_below_each_other_and_columns_side_by_side) {
  const Image red = [] {
    Image image(3, 10, 20);
    std::fill(image.plane(0).begin(), image.plane(0).end(), 1.f);
    return image;
  }();
  const Image gray(1, 10, 20, 0.5f);
  const Image sheet = contact_sheet({{{&red, ""}, {&gray, ""}}, {{&gray, ""}}}, 30);
  ASSERT_EQ(sheet.channels(), 3);
  EXPECT_GE(sheet.width(), 2 * 60);
  EXPECT_LT(sheet.width(), 2 * 60 + 60);
  EXPECT_GE(sheet.height(), 2 * 30);
  EXPECT_LT(sheet.height(), 2 * 30 + 60);
  const int y1 = sheet.height() / 4, y2 = 3 * y1, x1 = sheet.width() / 4, x2 = 3 * x1;
  EXPECT_EQ(sheet.at(0, y1, x1), 1.f);
  EXPECT_EQ(sheet.at(1, y1, x1), 0.f);
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(sheet.at(c, y1, x2), 0.5, 1. / 255);
    EXPECT_NEAR(sheet.at(c, y2, x1), 0.5, 1. / 255);
    EXPECT_EQ(sheet.at(c, y2, x2), 1.f);  // no panel here
    EXPECT_EQ(sheet.at(c, 0, 0), 1.f);    // the gap around
  }
}

TEST(ContactSheet, enlarges_without_inventing_values) {
  Image image(1, 2, 2);
  image.at(0, 0, 1) = image.at(0, 1, 0) = 1.f;
  const Image sheet = contact_sheet({{{&image, ""}}}, 64);
  EXPECT_THAT(sheet.pixels(), testing::Each(testing::AnyOf(0.f, 1.f)));
}

TEST(ContactSheet, scales_pictures_of_any_size_to_one_height) {
  for (const auto& [h, w] : {std::pair{1, 1}, {300, 3}, {3, 300}, {999, 700}}) {
    const Image image(1, h, w, 0.5f);
    const Image sheet = contact_sheet({{{&image, ""}}}, 50);
    int rows = 0;
    for (int y = 0; y < sheet.height(); ++y) rows += sheet.at(0, y, 8) < 0.6f;
    EXPECT_EQ(rows, 50) << h << "x" << w;
  }
}

TEST(ContactSheet, shows_values_outside_0_to_1_and_nan_without_harm) {
  Image image(1, 1, 3);
  image.at(0, 0, 0) = -5.f;
  image.at(0, 0, 1) = 7.f;
  image.at(0, 0, 2) = std::nanf("");
  EXPECT_THAT(contact_sheet({{{&image, ""}}}, 16).pixels(),
              testing::Each(testing::AnyOf(0.f, 1.f)));
}

TEST(ContactSheet, captions_are_plain_text_and_never_an_error) {
  const Image image(1, 20, 20, 0.5f);
  for (const char* caption :
       {"<b>5 < 6 & 7</b>", "\xff\xfe", "%s\n\ttwo lines", "\xe2\x89\xa4 30 dB"}) {
    const Image sheet = contact_sheet({{{&image, caption}}}, 40);
    EXPECT_EQ(sheet.width(), contact_sheet({{{&image, "plain"}}}, 40).width()) << caption;
    EXPECT_THAT(sheet.pixels(), testing::Each(testing::AllOf(testing::Ge(0.f), testing::Le(1.f))))
        << caption;
  }
}

TEST(ContactSheet, draws_dark_captions_below_where_there_is_a_font) {
  const Image image(1, 20, 20, 0.5f);
  const Image bare = contact_sheet({{{&image, ""}}}, 128);
  const Image captioned = contact_sheet({{{&image, "noisy, 20.1 dB"}}}, 128);
  EXPECT_EQ(ink(bare), 0);
  if (captioned.same_size(bare)) GTEST_SKIP() << "this machine has no font";
  EXPECT_GT(ink(captioned), 20);
  EXPECT_GT(captioned.height(), bare.height());
  for (int y = 0; y < 8 + 128; ++y) {
    for (int x = 0; x < bare.width(); ++x) EXPECT_GT(captioned.at(0, y, x), 0.4f);
  }
}

TEST(ContactSheet, refuses_no_panels_and_panels_without_pictures) {
  const Image none;
  expect_error(ErrorCode::bad_argument, {"no panels"}, [] { contact_sheet({}); });
  expect_error(ErrorCode::bad_argument, {"no panels"}, [] { contact_sheet({{}, {}}); });
  expect_error(ErrorCode::bad_argument, {"'x' has no picture"}, [&] {
    contact_sheet({{{&none, "x"}}});
  });
  expect_error(ErrorCode::bad_argument, {"'y' has no picture"}, [&] {
    contact_sheet({{{nullptr, "y"}}});
  });
  const Image image(1, 2, 2);
  expect_error(ErrorCode::bad_argument, {"panel_height", "got 0"}, [&] {
    contact_sheet({{{&image, ""}}}, 0);
  });
}

}  // namespace
}  // namespace unmar
