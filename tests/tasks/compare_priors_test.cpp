#include "unmar/tasks/compare_priors.h"

#include <algorithm>

#include "tasks/support.h"
#include "tiny_model.h"

namespace unmar {
namespace compare_priors_test {

using namespace tasks_test;
using test::tiny_model;
using testing::HasSubstr;

Image clean_picture() { return test_picture(8, 8, 1); }

TEST(DamagePicture, NamesTheTaskAndWhatItsUserKnows) {
  const DamagedPicture noisy = damage_picture(clean_picture(), "noise:25", 3);
  EXPECT_EQ(noisy.task, Task::denoise);
  EXPECT_EQ(noisy.known.sigma, 25);
  EXPECT_TRUE(noisy.mask.empty());
  EXPECT_GT(psnr(noisy.damaged, noisy.clean), 15);
  EXPECT_LT(psnr(noisy.damaged, noisy.clean), 25);
  EXPECT_TRUE(std::ranges::equal(damage_picture(clean_picture(), "noise:25", 3).damaged.pixels(),
                                 noisy.damaged.pixels()));
  const DamagedPicture holed = damage_picture(clean_picture(), "missing:0.5", 3);
  EXPECT_EQ(holed.task, Task::inpaint);
  EXPECT_EQ(holed.mask.channels(), 1);
  const DamagedPicture small = damage_picture(test_picture(9, 10, 3), "shrink:4", 3);
  EXPECT_EQ(small.task, Task::upscale);
  EXPECT_EQ(small.known.factor, 4);
  EXPECT_EQ(small.clean.height(), 8);  // what the damage leaves
  EXPECT_EQ(small.damaged.width(), 2);
  EXPECT_EQ(damage_picture(clean_picture(), "blur:gauss:1", 3).task, Task::deblur);
}

TEST(DamagePicture, RefusesWhatItDoesNotKnow) {
  const auto error = [](const std::string& damage) {
    return error_of([&] { damage_picture(clean_picture(), damage, 0); });
  };
  EXPECT_THAT(error("rain:3"), HasSubstr("give noise:SIGMA"));
  EXPECT_THAT(error("noise"), HasSubstr("such as noise:25"));
  EXPECT_THAT(error("noise:loud"), HasSubstr("loud"));
  EXPECT_THAT(error("shrink:5"), HasSubstr("5"));
}

TEST(ComparePriors, AllHaveTheBudgetOfTheFit) {
  const DiffusersModel model = tiny_model();
  RestoreOptions options = tiny(40);
  std::vector<std::string> told, parts;
  ComparePriorsContext context;
  context.on_result = [&](const PriorResult& r) { told.push_back(r.name); };
  context.on_progress = [&](const std::string& part, double share) {
    if (parts.empty() || parts.back() != part) parts.push_back(part);
    EXPECT_GT(share, 0);
    EXPECT_LE(share, 1);
  };
  const PriorsComparison all =
      compare_priors(damage_picture(clean_picture(), "noise:51", 1), options,
                     {.ddpm = &model, .ddpm_name = "small shirts"}, context);
  EXPECT_THAT(told, testing::ElementsAre("DIP", "DDPM", "DIP→DDPM"));
  EXPECT_THAT(parts,
              testing::ElementsAre("DIP", "DDPM, chain", "DIP→DDPM, fit", "DIP→DDPM, chain"));
  ASSERT_EQ(all.results.size(), 3u);
  const PriorResult &dip = all.results[0], &ddpm = all.results[1], &both = all.results[2];
  EXPECT_EQ(dip.iterations, 40);
  EXPECT_EQ(dip.evaluations, 0);
  EXPECT_GT(dip.macs, 0);
  EXPECT_EQ(ddpm.iterations, 0);
  EXPECT_GE(ddpm.evaluations, 1);
  const double pass = ddpm.macs / ddpm.evaluations;  // the fewest steps are 10
  EXPECT_LE(ddpm.macs, std::max(dip.macs, 10 * pass));
  EXPECT_LE(both.macs, std::max(dip.macs, dip.macs / 2 + 10 * pass));
  EXPECT_EQ(both.iterations, 20);
  EXPECT_EQ(dip.needs, "nothing but this picture");
  EXPECT_EQ(ddpm.needs, "small shirts");
  for (const PriorResult& r : all.results) {
    EXPECT_TRUE(r.why_not.empty()) << r.why_not;
    EXPECT_NEAR(r.psnr, psnr(r.image, clean_picture()), 1e-9);
    EXPECT_GE(r.edge_share, 0);
    EXPECT_LE(r.edge_share, 1);
    EXPECT_GT(r.detail, 0);
  }
  EXPECT_NEAR(all.psnr_input, psnr(all.picture.damaged, clean_picture()), 1e-6);
}

TEST(ComparePriors, AGanTakesPart) {
  const auto model = std::make_shared<const GanModel>(read_gan(UNMAR_MODELS "/fashion-mnist-gan"));
  const PriorsComparison all =
      compare_priors(damage_picture(test_picture(28, 28, 1), "missing:0.5", 1), tiny(4),
                     {.gan = model, .gan_name = "clothes"});
  ASSERT_EQ(all.results.size(), 2u);
  EXPECT_EQ(all.results[1].name, "GAN");
  EXPECT_EQ(all.results[1].needs, "clothes");
  EXPECT_EQ(all.results[1].iterations, 4 * 50 + 10);  // the least that there is
  EXPECT_GT(all.results[1].macs, 0);
  EXPECT_GT(all.results[1].psnr, 5);
}

TEST(ComparePriors, APriorThatCannotDoItSaysWhy) {
  const DiffusersModel model = tiny_model();  // gray
  const PriorsComparison colour = compare_priors(
      damage_picture(test_picture(8, 8, 3), "missing:0.5", 1), tiny(4), {.ddpm = &model});
  ASSERT_EQ(colour.results.size(), 3u);
  EXPECT_FALSE(colour.results[0].image.empty());
  EXPECT_TRUE(colour.results[1].image.empty());
  EXPECT_THAT(colour.results[1].why_not, HasSubstr("channel"));
  const PriorsComparison blurred =
      compare_priors(damage_picture(clean_picture(), "blur:gauss:1", 1), tiny(4), {.ddpm = &model});
  EXPECT_THAT(blurred.results[2].why_not, HasSubstr("deblur"));
  EXPECT_EQ(
      compare_priors(damage_picture(clean_picture(), "noise:25", 1), tiny(4), {}).results.size(),
      1u);
}

TEST(ComparePriors, CancelledItKeepsWhatWasDone) {
  const DiffusersModel model = tiny_model();
  std::stop_source source;
  ComparePriorsContext context;
  context.cancel = source.get_token();
  context.on_result = [&](const PriorResult&) { source.request_stop(); };
  const PriorsComparison all = compare_priors(damage_picture(clean_picture(), "noise:25", 1),
                                              tiny(4), {.ddpm = &model}, context);
  EXPECT_TRUE(all.cancelled);
  EXPECT_EQ(all.results.size(), 1u);
}

}  // namespace compare_priors_test
}  // namespace unmar
