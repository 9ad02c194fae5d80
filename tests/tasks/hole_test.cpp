#include "support.h"

namespace unmar::tasks_test {
namespace hole_test {

/// The options of one iteration over a picture of 72x72 px where `mask` is known.
RestoreOptions used_for(const Image& mask, RestoreOptions given = {}) {
  given.iterations = 1;
  given.scales = 2;
  given.channels = 4;
  given.runs = 1;
  given.threads = 1;
  return inpaint(test_picture(72, 72), mask, given).options;
}

Image known(int hole_height, int hole_width) {
  Image mask(1, 72, 72, 1.f);
  for (int y = 0; y < hole_height; ++y)
    for (int x = 0; x < hole_width; ++x) mask.at(0, 20 + y, 10 + x) = 0.f;
  return mask;
}

TEST(Hole, ALargeOneGetsNoSkipConnectionsAndStartsFromCoordinates) {
  const RestoreOptions large = used_for(known(32, 32));
  EXPECT_EQ(large.skip, 0);
  EXPECT_EQ(large.input, InputKind::meshgrid);
  const RestoreOptions small = used_for(known(31, 60));
  EXPECT_EQ(small.skip, 4);
  EXPECT_EQ(small.input, InputKind::uniform);
}

TEST(Hole, OneKnownPixelInTheMiddleMakesItSmall) {
  Image mask = known(32, 32);
  mask.at(0, 40, 30) = 1.f;
  EXPECT_EQ(used_for(mask).skip, 4);
}

TEST(Hole, AnInvertedMaskSaysTheSame) {
  Image mask = known(32, 32);
  for (float& v : mask.pixels()) v = 1.f - v;
  EXPECT_EQ(used_for(mask, {.invert_mask = true}).skip, 0);
}

TEST(Hole, WhatWasChosenStays) {
  const Image mask = known(32, 32);
  EXPECT_EQ(used_for(mask, {.skip = 2}).input, InputKind::uniform);
  EXPECT_EQ(used_for(mask, {.input = InputKind::fourier}).skip, 4);
  EXPECT_EQ(used_for(mask, {.preset = Preset::paper}).skip, 128);
  EXPECT_EQ(used_for(mask, {.network = "unet"}).input, InputKind::uniform);
  EXPECT_EQ(used_for(mask, {.prior = FitPrior::self_diffusion, .stages = 1}).input,
            InputKind::observed);
}

}  // namespace hole_test
}  // namespace unmar::tasks_test
