#include <algorithm>
#include <limits>

#include "support.h"
#include "tasks/mask.h"

namespace unmar::tasks_test {
namespace mask_test {

Image row(std::initializer_list<float> values) {
  Image mask(1, 1, static_cast<int>(values.size()));
  std::copy(values.begin(), values.end(), mask.pixels().begin());
  return mask;
}

using testing::ElementsAre;
using testing::FloatNear;

TEST(KnownPixels, WhatIsNearlyBlackOrWhiteIsBlackOrWhiteAndGrayStaysGray) {
  EXPECT_THAT(known_pixels(row({0.f, 0.07f, 0.3f, 0.5f, 0.7f, 0.93f, 1.f, 1.f, 1.f})).pixels(),
              ElementsAre(0.f, 0.f, FloatNear(0.3f, 0.05f), FloatNear(0.5f, 0.05f),
                          FloatNear(0.7f, 0.05f), 1.f, 1.f, 1.f, 1.f));
}

TEST(KnownPixels, AMasksOwnBlackAndWhiteCount) {
  const float b = 20.f / 255;
  EXPECT_THAT(known_pixels(row({b, b, 1, 1})).pixels(), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(known_pixels(row({0.2f, 0.22f, 0.85f, 0.82f})).pixels(), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(known_pixels(row({0, 0, 1.f / 255, 1.f / 255})).pixels(), ElementsAre(0, 0, 1, 1));
  RestoreOptions invert{.invert_mask = true};
  EXPECT_THAT(known_pixels(row({b, b, 1, 1}), invert).pixels(), ElementsAre(1, 1, 0, 0));
}

TEST(KnownPixels, AreWhereNobodyPaintedInTheColour) {
  Image painted(3, 1, 4);
  for (int c = 0; c < 3; ++c) {
    painted.at(c, 0, 0) = c == 0 ? 1.f : 0.f;
    painted.at(c, 0, 1) = c == 0 ? 0.92f : 0.06f;  // as JPEG has it
    painted.at(c, 0, 2) = 0.5f;
    painted.at(c, 0, 3) = c == 0 ? 0.6f : 0.1f;
  }
  RestoreOptions options{.mask_colour = "FF0000"};
  EXPECT_THAT(known_pixels(painted, options).pixels(), ElementsAre(0, 0, 1, 1));
  options.mask_colour = "red";
  EXPECT_THAT(error_of([&] { known_pixels(painted, options); }),
              testing::AllOf(testing::HasSubstr("`mask_colour`"), testing::HasSubstr("red")));
}

TEST(KnownPixels, AreWhereALayerIsTransparentOrAPictureIsNot) {
  Image drawn = row({0, 0, 0, 0});
  drawn.source.alpha = {1, 0, 0, 0};
  EXPECT_THAT(known_pixels(drawn).pixels(), ElementsAre(0, 1, 1, 1));
  Image red = row({0.3f, 0.3f, 0.3f, 0.3f});
  red.source.alpha = {1, 0, 0, 0.8f};
  EXPECT_THAT(known_pixels(red).pixels(), ElementsAre(0, 1, 1, FloatNear(0.f, 0.3f)));
  Image erased = row({0.2f, 0.5f, 0.4f, 0.6f});
  erased.source.alpha = {0, 1, 1, 1};
  EXPECT_THAT(known_pixels(erased).pixels(), ElementsAre(0, 1, 1, 1));
  Image white = row({1, 1, 1, 1});
  white.source.alpha = {1, 0, 0, 1};
  EXPECT_THAT(known_pixels(white).pixels(), ElementsAre(1, 0, 0, 1));
}

TEST(KnownPixels, HolesGrowToADisk) {
  Image mask(1, 9, 9, 1.f);
  mask.at(0, 4, 4) = 0.f;
  const Image grown = known_pixels(mask, {.mask_grow = 3});
  for (int y = 0; y < 9; ++y)
    for (int x = 0; x < 9; ++x) {
      const int squared = (y - 4) * (y - 4) + (x - 4) * (x - 4);
      EXPECT_EQ(grown.at(0, y, x), squared <= 9 ? 0.f : 1.f) << y << " " << x;
    }
}

TEST(KnownPixels, HolesFadeOutwards) {
  const Image soft = known_pixels(row({1, 1, 1, 1, 0, 1, 1, 1, 1}), {.mask_feather = 3});
  EXPECT_THAT(soft.pixels(), ElementsAre(1, 0.75f, 0.5f, 0.25f, 0, 0.25f, 0.5f, 0.75f, 1));
}

Image holed_mask() {
  Image mask(1, 24, 32, 1.f);
  for (int y = 8; y < 14; ++y)
    for (int x = 10; x < 16; ++x) mask.at(0, y, x) = 0.f;
  for (int y = 8; y < 14; ++y) mask.at(0, y, 16) = 0.5f;
  return mask;
}

TEST(Inpaint, WhatTheMaskDiscardsHasNoInfluenceBitForBit) {
  const Image mask = holed_mask(), picture = test_picture();
  for (const Method method : {Method::dip, Method::automatic}) {
    RestoreOptions options = tiny();
    options.method = method;
    const Image expected = inpaint(picture, mask, options).image;
    const float bad[] = {NAN, HUGE_VALF, -HUGE_VALF, 1e30f, -9999.f, 0.123f};
    for (int draw = 0; draw < 4; ++draw) {
      Image other = picture;
      std::size_t k = static_cast<std::size_t>(draw);
      for (int c = 0; c < 3; ++c)
        for (std::size_t i = 0; i < mask.count(); ++i)
          if (mask.pixels()[i] == 0.f) other.plane(c)[i] = bad[k++ % std::size(bad)];
      EXPECT_TRUE(
          std::ranges::equal(inpaint(other, mask, options).image.pixels(), expected.pixels()))
          << draw;
    }
  }
}

TEST(Inpaint, GrayBlendsWhatWasThereWithWhatIsFilled) {
  const Image mask = holed_mask(), picture = test_picture();
  Image hard = mask;
  for (float& v : hard.pixels()) v = v < 1.f ? 0.f : 1.f;
  const Image filled = inpaint(picture, hard, tiny()).image;
  const Image blended = inpaint(picture, mask, tiny()).image;
  for (int y = 8; y < 14; ++y) {
    EXPECT_NEAR(blended.at(1, y, 16), (filled.at(1, y, 16) + picture.at(1, y, 16)) / 2, 0.02);
    EXPECT_EQ(blended.at(1, y, 12), filled.at(1, y, 12));
    EXPECT_EQ(blended.at(1, y, 20), picture.at(1, y, 20));
  }
}

TEST(Inpaint, WithoutAMaskFillsTheTransparentPixelsAndMakesThemOpaque) {
  const Image mask = holed_mask();
  Image picture = test_picture();
  EXPECT_THAT(
      error_of([&] { restore(Task::inpaint, picture, nullptr, tiny()); }, ErrorCode::bad_argument),
      testing::HasSubstr("`mask`"));
  const Image expected = inpaint(picture, mask, tiny()).image;
  picture.source.alpha.assign(mask.pixels().begin(), mask.pixels().end());
  const Image result = restore(Task::inpaint, picture, nullptr, tiny()).image;
  EXPECT_TRUE(std::ranges::equal(result.pixels(), expected.pixels()));
  EXPECT_EQ(result.source.alpha[static_cast<std::size_t>(10 * 32 + 12)], 1.f);
}

TEST(Inpaint, SaysHowMuchIsKnownAndHintsAtAnInvertedMask) {
  Image mask(1, 24, 32);
  mask.at(0, 3, 3) = 1.f;
  const Restored result = inpaint(test_picture(), mask, tiny(1));
  EXPECT_EQ(result.values.known, 3u);
  EXPECT_EQ(result.values.masked, 3u * (24 * 32 - 1));
  EXPECT_THAT(in_words(result.values), testing::HasSubstr("`invert_mask`"));
  EXPECT_THAT(in_words(inpaint(test_picture(), holed_mask(), tiny(1)).values),
              testing::Not(testing::HasSubstr("`invert_mask`")));
}

/// A noisy picture whose samples `mark` says more of.
Image marked(SampleUse how, float value) {
  Image picture = simulate(test_picture(32, 32, 1), {.sigma = 0.04f, .seed = 3}).image;
  std::vector<SampleUse> use(picture.count(), SampleUse::used);
  for (int y = 10; y < 13; ++y)
    for (int x = 20; x < 23; ++x) {
      picture.at(0, y, x) = value;
      use[static_cast<std::size_t>(y * 32 + x)] = how;
    }
  picture.source.use = std::make_shared<const std::vector<SampleUse>>(std::move(use));
  return picture;
}

TEST(Denoise, FillsWhatIsMissingAndWhatIsAnOutlierWhateverItHolds) {
  RestoreOptions options = tiny();
  options.method = Method::patches;
  const Image missing = denoise(marked(SampleUse::missing, 0.f), options).image;
  const Restored outlier = denoise(marked(SampleUse::outlier, 130.f), options);
  EXPECT_TRUE(std::ranges::equal(missing.pixels(), outlier.image.pixels()));
  EXPECT_EQ(outlier.values.outliers_filled, 9u);
  EXPECT_THAT(in_words(outlier.values), testing::HasSubstr("9 filled"));
  const Image clean = test_picture(32, 32, 1);
  for (int y = 10; y < 13; ++y) EXPECT_NEAR(missing.at(0, y, 21), clean.at(0, y, 21), 0.1);
  EXPECT_FALSE(missing.source.use);
}

TEST(Denoise, HandsOutWhatIsKeptAsItWasAndDoesNotSeeIt) {
  for (const Method method : {Method::patches, Method::dip, Method::automatic}) {
    RestoreOptions options = tiny();
    options.method = method;
    const Restored kept = denoise(marked(SampleUse::kept, 130.f), options);
    const Image filled = denoise(marked(SampleUse::missing, 0.f), options).image;
    EXPECT_EQ(kept.values.outliers_kept, 9u);
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x) {
        const bool core = y >= 10 && y < 13 && x >= 20 && x < 23;
        EXPECT_EQ(kept.image.at(0, y, x), core ? 130.f : filled.at(0, y, x)) << y << " " << x;
      }
  }
}

TEST(Upscale, AndDeblurKeepAndFillLikewise) {
  for (const SampleUse how : {SampleUse::outlier, SampleUse::kept}) {
    const Image large = upscale(marked(how, 130.f), 2, tiny()).image;
    EXPECT_EQ(large.at(0, 21, 43) == 130.f, how == SampleUse::kept);
    EXPECT_LE(large.at(0, 19, 43), 1.f);
    const Image sharp = deblur(marked(how, 130.f), "gauss:1", tiny()).image;
    EXPECT_EQ(sharp.at(0, 11, 21) == 130.f, how == SampleUse::kept);
    EXPECT_LE(sharp.at(0, 9, 21), 1.f);
  }
}

TEST(KnownParts, AreThoseOfTheWholeWhateverIsAsked) {
  Image mask(3, 70, 90, 0.92f);
  for (int i = 20; i < 60; ++i)
    for (int c = 0; c < 3; ++c) mask.at(c, i, i) = mask.at(c, 33, i) = c == 0 ? 0.9f : 0.06f;
  Image layer = mask;
  layer.source.alpha.assign(layer.plane(0).size(), 0.f);
  for (std::size_t i = 0; i < 50; ++i) layer.source.alpha[90 * 40 + i] = 1.f;
  RestoreOptions grown, painted;
  grown.mask_grow = 3;
  grown.mask_feather = 5;
  painted.mask_colour = "E01010";
  painted.mask_feather = 2;
  RestoreOptions inverted = grown;
  inverted.invert_mask = true;
  for (const Image* given : {&mask, &layer})
    for (const RestoreOptions& options : {RestoreOptions(), grown, painted, inverted}) {
      const auto parts = parts_of(*given);
      const auto known = known_by_mask(*parts, options);
      const Image whole = known->part({0, 0, 70, 90});
      EXPECT_TRUE(std::ranges::any_of(whole.pixels(), [](float v) { return v < 1.f; }));
      for (const Rect& r : {Rect{0, 0, 70, 90}, {25, 30, 20, 20}, {69, 89, 1, 1}, {0, 50, 40, 7}})
        EXPECT_TRUE(std::ranges::equal(known->part(r).pixels(),
                                       crop(whole, r.y, r.x, r.height, r.width).pixels()));
    }
}

}  // namespace mask_test
}  // namespace unmar::tasks_test
