#include <algorithm>
#include <optional>
#include <vector>

#include "tasks/support.h"

namespace unmar::tasks_test {
namespace restore_test {

Image noisy(const Image& clean, float sigma) {
  SimulateOptions options;
  options.sigma = sigma;
  options.seed = 5;
  return simulate(clean, options).image;
}

/// 1 everywhere but in a box in the middle.
Image mask_with_hole(const Image& picture) {
  Image mask(1, picture.height(), picture.width(), 1.f);
  for (int y = 8; y < 12; ++y)
    for (int x = 10; x < 16; ++x) mask.at(0, y, x) = 0.f;
  return mask;
}

bool same_pixels(const Image& a, const Image& b) {
  return std::equal(a.pixels().begin(), a.pixels().end(), b.pixels().begin(), b.pixels().end());
}

TEST(Restore, DenoisingGainsOverTheNoisyInput) {
  const Image clean = test_picture();
  RestoreOptions options = tiny(250);
  options.average_decay = 0.9;
  const Restored result = denoise(noisy(clean, 40.f / 255), options, {.reference = &clean});
  EXPECT_GT(*result.psnr, *result.psnr_input + 3);
  EXPECT_GT(*result.ssim, *result.ssim_input);
  EXPECT_EQ(result.engine.name, "ref");
  EXPECT_GT(result.params, 500u);
}

TEST(Restore, AutoHidesALargerShareOfASmallPicture) {
  const auto hides = [](const Image& picture, double share) {
    RestoreOptions automatic = tiny(4), held_out = tiny(4);
    automatic.stop = StopRule::automatic;
    automatic.method = held_out.method = Method::dip;
    held_out.stop = StopRule::held_out;
    held_out.held_out = share;
    return same_pixels(denoise(picture, automatic).image, denoise(picture, held_out).image);
  };
  EXPECT_TRUE(hides(test_picture(48, 48), 0.05)) << "more than 100 values are enough";
  EXPECT_TRUE(hides(test_picture(20, 20), 128. / 1200));
  EXPECT_TRUE(hides(test_picture(16, 16), 0.15)) << "128 would be a sixth";
}

TEST(Restore, AutoHidesValuesWhereItCanAndFallsBackToTheVariance) {
  const auto told_apart = [](Task task, const Image& picture, const Image* mask) {
    RestoreOptions automatic = tiny(4), held_out = tiny(4), variance = tiny(4);
    automatic.stop = StopRule::automatic;
    variance.stop = StopRule::wmv;
    held_out.stop = StopRule::held_out;
    if (task == Task::upscale)
      automatic.factor = variance.factor = 2;
    else
      automatic.method = held_out.method = variance.method = Method::dip;
    const Image result = restore(task, picture, mask, automatic).image;
    if (task != Task::upscale)
      return std::pair{same_pixels(result, restore(task, picture, mask, held_out).image),
                       same_pixels(result, restore(task, picture, mask, variance).image)};
    return std::pair{false, same_pixels(result, restore(task, picture, mask, variance).image)};
  };
  const std::pair hides{true, false}, watches{false, true};
  EXPECT_EQ(told_apart(Task::denoise, test_picture(48, 48), nullptr), hides);
  EXPECT_EQ(told_apart(Task::denoise, test_picture(10, 10), nullptr), watches) << "45 values";
  EXPECT_EQ(told_apart(Task::upscale, test_picture(48, 48), nullptr), watches);
  const Image holed = test_picture(48, 48), mask = mask_with_hole(holed);
  EXPECT_EQ(told_apart(Task::inpaint, holed, &mask), hides);
}

TEST(Restore, WhatLooksOnWithoutHidingChangesNothing) {
  const Image picture = test_picture();
  RestoreOptions watched = tiny();
  watched.watch = "wmv,emv,self-reference";
  const Restored result = denoise(picture, watched);
  EXPECT_TRUE(same_pixels(result.image, denoise(picture, tiny()).image));
  ASSERT_EQ(result.fit.watched.size(), 3u);
  EXPECT_EQ(result.fit.watched[2].name, "self-reference");
}

TEST(Restore, UpscalingGainsNothingFromAReferenceButItsMetrics) {
  const Image clean = test_picture(24, 32);
  const Image small = test_picture(12, 16);
  const Restored with = upscale(small, 2, tiny(), {.reference = &clean});
  const Restored without = upscale(small, 2, tiny());
  EXPECT_TRUE(same_pixels(with.image, without.image));
  EXPECT_TRUE(with.psnr && with.ssim && with.psnr_input && with.ssim_input);
  EXPECT_FALSE(without.psnr || without.ssim || without.psnr_input || without.ssim_input);
}

TEST(Restore, UpscalingComparesItselfWithBicubic) {
  const Image clean = test_picture(24, 32);
  const Image small = test_picture(12, 16);
  const Restored result = upscale(small, 2, tiny(), {.reference = &clean});
  EXPECT_DOUBLE_EQ(*result.psnr_input, psnr(enlarge_bicubic(small, 2), clean));
  EXPECT_EQ(result.image.height(), 24);
  EXPECT_EQ(result.image.width(), 32);
}

TEST(Restore, TheResultCarriesDepthProfileAndAlphaOfTheInput) {
  Image picture = test_picture(10, 12);
  picture.source.format = SampleFormat::u16;
  picture.source.range = {0, 65535};
  picture.source.icc_profile = {std::byte{1}, std::byte{2}};
  picture.source.alpha.assign(120, 0.5f);
  const Image same_size = denoise(picture, tiny()).image;
  EXPECT_EQ(same_size.source.format, SampleFormat::u16);
  EXPECT_EQ(same_size.source.range, picture.source.range);
  EXPECT_EQ(same_size.source.icc_profile, picture.source.icc_profile);
  EXPECT_EQ(same_size.source.alpha, picture.source.alpha);
  const Image enlarged = upscale(picture, 2, tiny()).image;
  EXPECT_EQ(enlarged.source.icc_profile, picture.source.icc_profile);
  EXPECT_EQ(enlarged.source.alpha, std::vector<float>(480, 0.5f));
}

TEST(Restore, InpaintingKeepsTheKnownPixelsAndChangesTheMissingOnes) {
  const Image picture = test_picture();
  const Image mask = mask_with_hole(picture);
  const Image result = inpaint(picture, mask, tiny()).image;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < picture.height(); ++y)
      for (int x = 0; x < picture.width(); ++x) {
        const bool same = result.at(c, y, x) == picture.at(c, y, x);
        EXPECT_EQ(same, mask.at(0, y, x) == 1.f) << c << " " << y << " " << x;
      }
}

TEST(Restore, InpaintingWithoutKeepKnownReturnsTheNetworksOwnPicture) {
  const Image picture = test_picture();
  RestoreOptions options = tiny();
  options.keep_known = false;
  const Restored result = inpaint(picture, mask_with_hole(picture), options);
  EXPECT_TRUE(same_pixels(result.image, clamped(to_image(result.fit.best))));
}

TEST(Restore, InpaintingDoesNotLookBelowTheMask) {
  const Image picture = test_picture();
  const Image mask = mask_with_hole(picture);
  Image scribbled = picture;
  for (int y = 8; y < 12; ++y) scribbled.at(1, y, 12) = 1.f;
  EXPECT_TRUE(
      same_pixels(inpaint(picture, mask, tiny()).image, inpaint(scribbled, mask, tiny()).image));
}

TEST(Restore, AnInvertedMaskAndOneStoredAsZeroAndOneMeanTheSame) {
  const Image picture = test_picture();
  const Image mask = mask_with_hole(picture);
  Image inverted = mask, dim = mask;
  for (float& v : inverted.pixels()) v = 1.f - v;
  for (float& v : dim.pixels()) v /= 255.f;
  RestoreOptions invert = tiny();
  invert.invert_mask = true;
  const Image expected = inpaint(picture, mask, tiny()).image;
  EXPECT_TRUE(same_pixels(expected, inpaint(picture, inverted, invert).image));
  EXPECT_TRUE(same_pixels(expected, inpaint(picture, dim, tiny()).image));
}

TEST(Restore, AMaskThatCannotBeMeantIsRefused) {
  const Image picture = test_picture();
  const auto refusal = [&](const Image& mask) {
    return error_of([&] { inpaint(picture, mask, tiny()); }, ErrorCode::bad_input);
  };
  EXPECT_THAT(refusal(Image(1, 24, 31, 1.f)), testing::HasSubstr("31x24 px"));
  EXPECT_THAT(refusal(Image(1, 24, 32, 0.f)), testing::HasSubstr("black everywhere"));
  EXPECT_THAT(refusal(Image(1, 24, 32, 1.f)), testing::HasSubstr("white everywhere"));
}

TEST(Restore, AReferenceOfAnotherSizeIsRefusedWithBothSizes) {
  const Image small = test_picture(6, 8), reference = test_picture(24, 30);
  const std::string text =
      error_of([&] { upscale(small, 4, tiny(), {.reference = &reference}); }, ErrorCode::bad_input);
  EXPECT_THAT(text, testing::HasSubstr("30x24 px"));
  EXPECT_THAT(text, testing::HasSubstr("32x24 px"));
}

TEST(Restore, TheLastPreviewIsTheResult) {
  const Image picture = test_picture();
  std::vector<int> iterations;
  Image last;
  RestoreContext context;
  context.preview_every = 5;
  context.on_preview = [&](int iteration, const Image& preview) {
    iterations.push_back(iteration);
    last = preview;
  };
  const Restored result = inpaint(picture, mask_with_hole(picture), tiny(15), context);
  EXPECT_EQ(iterations, (std::vector<int>{5, 10, 15}));
  EXPECT_TRUE(same_pixels(last, result.image));
}

TEST(Restore, AMomentFinishedLaterIsThePictureThatWasHandedOut) {
  Image picture = test_picture();
  picture.source.format = SampleFormat::u16;
  picture.source.alpha.assign(picture.plane(0).size(), 0.5f);
  const Image mask = mask_with_hole(picture);
  Tensor average;
  RestoreContext context;
  context.on_iteration = [&](const FitProgress& p) { average = p.average; };
  const Restored result = inpaint(picture, mask, tiny(), context);
  const Image again = finish_moment(Task::inpaint, picture, &mask, tiny(), average);
  EXPECT_TRUE(same_pixels(again, result.image));
  EXPECT_EQ(again.source.format, SampleFormat::u16);
  EXPECT_EQ(again.source.alpha, result.image.source.alpha);
  for (std::size_t i = 0; i < mask.count(); ++i)  // what was filled can be seen
    EXPECT_EQ(again.source.alpha[i], mask.pixels()[i] < 1.f ? 1.f : 0.5f) << i;
  EXPECT_THAT(error_of(
                  [&] {
                    finish_moment(Task::inpaint, picture, &mask, tiny(), Tensor({1, 3, 4, 4}));
                  },
                  ErrorCode::bad_input),
              testing::HasSubstr("[1,3,4,4]"));
}

TEST(Restore, TheSceneIsWhatTheLossCompares) {
  const Image picture = test_picture();
  RestoreContext context;
  const Image mask = mask_with_hole(picture);
  int scenes = 0;
  double expected = 0;
  std::optional<FitScene> scene;
  context.on_scene = [&](const FitScene& s) {
    ++scenes;
    scene.emplace(s);  // what it borrows stays until the end
    EXPECT_EQ(s.z.shape().c, 4);
    EXPECT_EQ(s.input.at(0, 9, 12), 0.f);  // in the hole
  };
  context.on_iteration = [&](const FitProgress& p) {
    const Tensor seen = apply(scene->A, p.restored);
    expected = 0;
    for (std::size_t i = 0; i < seen.count(); ++i) {
      const auto d = static_cast<double>(seen.data()[i] - scene->y.data()[i]);
      expected += d * d / static_cast<double>(seen.count());
    }
    EXPECT_NEAR(p.row.loss, expected, 1e-5);
  };
  inpaint(picture, mask, tiny(), context);
  EXPECT_EQ(scenes, 1);
}

TEST(Restore, ResumedInTheMiddleGivesTheSamePicture) {
  std::vector<std::string> states;
  RestoreContext context;
  context.on_iteration = [&](const FitProgress& p) { states.push_back(p.save()); };
  const Restored whole = upscale(test_picture(8, 12), 2, tiny(), context);
  const Restored resumed = upscale(test_picture(8, 12), 2, tiny(), {.resume = states[4]});
  EXPECT_TRUE(same_pixels(whole.image, resumed.image));
  EXPECT_EQ(resumed.fit.history.size(), whole.fit.history.size());
}

// Whoever adds a rule must let it be saved.
TEST(Restore, EveryStopRuleCanBeResumedBitForBit) {
  const Image picture = noisy(test_picture(), 0.1f);
  for (const std::string& rule : option_spec("stop").choices) {
    SCOPED_TRACE(rule);
    RestoreOptions options = tiny(30);
    options.sigma = 25;
    options.window = 4;
    options.patience = 8;
    options.min_start = 3;
    set_option(options, Task::denoise, option_spec("stop"), rule);
    if (rule == "sure") options.input = InputKind::observed;
    if (rule == "stages") options.prior = FitPrior::staged;
    std::vector<std::string> states;
    RestoreContext context;
    context.on_iteration = [&](const FitProgress& p) { states.push_back(p.save()); };
    const Restored whole = denoise(picture, options, context);
    ASSERT_GE(whole.fit.iterations, 4);
    for (const std::size_t at : {std::size_t{0}, std::size_t{3}, states.size() - 2}) {
      const Restored resumed = denoise(picture, options, {.resume = states[at]});
      EXPECT_TRUE(same_pixels(whole.image, resumed.image));
      EXPECT_EQ(resumed.fit.best_iteration, whole.fit.best_iteration);
      ASSERT_EQ(resumed.fit.iterations, whole.fit.iterations);
      for (std::size_t i = 0; i < whole.fit.history.size(); ++i)
        EXPECT_EQ(resumed.fit.history[i].signal, whole.fit.history[i].signal);
    }
  }
}

TEST(Restore, ASmallPictureIsAveragedOverFewerIterations) {
  const auto decay = [](int side, const RestoreOptions& given) {
    return *denoise(test_picture(side, side), given).options.average_decay;
  };
  RestoreOptions given = tiny(2);
  EXPECT_EQ(decay(47, given), 0.9);
  EXPECT_EQ(decay(48, given), 0.98);
  given.preset = Preset::paper;
  EXPECT_EQ(decay(47, given), 0.99);
  given = tiny(2);
  given.average_decay = 0.95;
  EXPECT_EQ(decay(47, given), 0.95);
}

TEST(Restore, EveryPriorCanBeResumedBitForBit) {
  const Image picture = noisy(test_picture(8, 12), 0.1f);
  std::vector<Image> results;
  for (const std::string& prior : option_spec("prior").choices) {
    if (prior == "gan") continue;  // GanPrior tests it
    SCOPED_TRACE(prior);
    RestoreOptions options = tiny(12);
    options.stages = 4;
    options.factor = 2;
    set_option(options, Task::upscale, option_spec("prior"), prior);
    std::vector<std::string> states;
    RestoreContext context;
    context.on_iteration = [&](const FitProgress& p) { states.push_back(p.save()); };
    const Restored whole = restore(Task::upscale, picture, nullptr, options, context);
    for (const std::size_t at : {1u, 2u, 3u, 10u}) {
      context = {.resume = states[at]};
      EXPECT_TRUE(same_pixels(whole.image,
                              restore(Task::upscale, picture, nullptr, options, context).image))
          << at;
    }
    for (const Image& other : results) EXPECT_FALSE(same_pixels(whole.image, other));
    results.push_back(whole.image);
  }
}

TEST(Restore, StagesThatCannotBeAreRefused) {
  const auto error = [](auto change) {
    RestoreOptions options = tiny(12);
    change(options);
    return error_of([&] { denoise(test_picture(), options); });
  };
  using O = RestoreOptions;
  EXPECT_THAT(error([](O& o) { o.stop = StopRule::stages; }), testing::HasSubstr("`prior` staged"));
  EXPECT_THAT(error([](O& o) { o.prior = FitPrior::staged; }),
              testing::HasSubstr("20 stages in 12 iterations; give `stages` 1 to 12"));
  EXPECT_THAT(error([](O& o) {
                o.prior = FitPrior::self_diffusion, o.stages = 3, o.input = InputKind::uniform;
              }),
              testing::HasSubstr("`input` observed"));
  EXPECT_THAT(error([](O& o) {
                o.prior = FitPrior::self_diffusion, o.stages = 3,
                o.optimise = Optimise::weights_and_input;
              }),
              testing::HasSubstr("optimise the weights"));
}

TEST(Restore, CancelledBeforeThereIsAPictureItSaysSo) {
  std::stop_source source;
  source.request_stop();
  RestoreOptions options = tiny();
  options.method = Method::dip;  // no filter that has a picture before
  try {
    denoise(test_picture(), options, {.cancel = source.get_token()});
    FAIL() << "it ended with a picture";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
    EXPECT_THAT(error.what(), testing::HasSubstr("within its first iteration"));
  }
}

TEST(Restore, APictureOfOnePixelIsRestored) {
  const Restored result = denoise(Image(1, 1, 1, 0.5f), tiny());
  EXPECT_EQ(result.image.count(), 1u);
}

}  // namespace restore_test
}  // namespace unmar::tasks_test
