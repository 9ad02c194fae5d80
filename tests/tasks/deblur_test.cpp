#include <algorithm>

#include "tasks/support.h"
#include "unmar/tasks/refine.h"

namespace unmar::tasks_test {
namespace deblur_test {

using testing::HasSubstr;

/// Squares as fine as the blur, which takes most of their contrast. A Gaussian much wider than
/// gauss:1 leaves nothing of their edges to find.
Image stripes() {
  Image image(1, 32, 40);
  for (int y = 0; y < 32; ++y)
    for (int x = 0; x < 40; ++x) image.at(0, y, x) = (x / 4 + y / 8) % 2 ? 0.8f : 0.2f;
  return image;
}

Image blurred(const Image& clean, const char* blur) {
  SimulateOptions options;
  options.sigma = 2.f / 255;
  options.seed = 5;
  options.blur = parse_blur(blur);
  return simulate(clean, options).image;
}

TEST(Deblur, GainsOverTheBlurredInput) {
  const Image clean = stripes();
  for (const char* blur : {"gauss:1", "motion:5,0", "disk:2"}) {
    RestoreOptions options = tiny(600);
    options.channels = 32;
    options.engine = "cpu";
    const Restored result = deblur(blurred(clean, blur), blur, options, {.reference = &clean});
    EXPECT_GT(*result.psnr, *result.psnr_input + 2) << blur;
    EXPECT_EQ(result.options.method, std::nullopt);
    EXPECT_TRUE(result.candidates.empty());
  }
}

TEST(Deblur, AKernelInAPictureIsWhatTheSameBlurInWordsIs) {
  const Image picture = stripes(), kernel(1, 1, 3, 0.5f);
  const Image words = deblur(picture, "motion:3,0", tiny()).image;
  const Image drawn = deblur(picture, kernel, tiny()).image;
  EXPECT_TRUE(std::equal(words.pixels().begin(), words.pixels().end(), drawn.pixels().begin()));
}

TEST(Deblur, EveryRuleThatJudgesTheBlurredPictureServes) {
  const Image picture = blurred(test_picture(32, 40), "gauss:1");
  for (const StopRule rule : {StopRule::automatic, StopRule::held_out, StopRule::self_reference,
                              StopRule::discrepancy, StopRule::wmv}) {
    RestoreOptions options = tiny(8);
    options.stop = rule;
    options.sigma = 2;
    EXPECT_EQ(deblur(picture, "gauss:1", options).fit.iterations, 8);
  }
  RestoreOptions options = tiny();
  options.stop = StopRule::discrepancy;
  EXPECT_THAT(error_of([&] { deblur(picture, "gauss:1", options); }),
              HasSubstr("give 'deblur' a `sigma` above 0"));
  options.stop = StopRule::stages;
  EXPECT_THAT(error_of([&] { deblur(picture, "gauss:1", options); }), HasSubstr("`stop` stages"));
}

TEST(Deblur, RefusesWhatItCannotWorkWith) {
  const Image picture = stripes();
  EXPECT_THAT(error_of([&] { restore(Task::deblur, picture, nullptr, tiny()); }),
              HasSubstr("deblur: `blur` is missing; give gauss:SIGMA"));
  EXPECT_THAT(error_of([&] { deblur(picture, "gauss", tiny()); }),
              HasSubstr("deblur: blur 'gauss': give gauss:SIGMA"));
  EXPECT_THAT(error_of([&] { deblur(picture, "gauss:8", tiny()); }),
              HasSubstr("reaches 32x32 pixels"));
  for (const Method method : {Method::patches, Method::automatic, Method::dip}) {
    RestoreOptions options = tiny();
    options.method = method;
    EXPECT_THAT(error_of([&] { deblur(picture, "gauss:1", options); }),
                testing::AllOf(HasSubstr("deblur: `method`"), HasSubstr("not an option of this")));
  }
  RestoreOptions both = tiny();
  both.blur_kernel = std::make_shared<const Image>(1, 1, 3, 0.5f);
  EXPECT_THAT(error_of([&] { deblur(picture, "gauss:1", both); }), HasSubstr("give one of them"));
  EXPECT_THAT(error_of([&] { generate_prior(Task::deblur, picture, nullptr, tiny()); }),
              HasSubstr("cannot be refined"));
}

}  // namespace deblur_test
}  // namespace unmar::tasks_test
