#include <algorithm>
#include <cmath>

#include "tasks/support.h"
#include "unmar/gan/model.h"

namespace unmar {
namespace gan_prior_test {

using namespace tasks_test;
using testing::HasSubstr;

const std::shared_ptr<const GanModel>& shipped() {
  static const auto model =
      std::make_shared<const GanModel>(read_gan(UNMAR_MODELS "/fashion-mnist-gan"));
  return model;
}

RestoreOptions by_gan(int starts = 2, int iterations = 20, int weight_iterations = 10) {
  RestoreOptions options;
  options.prior = FitPrior::gan;
  options.gan = shipped();
  options.starts = starts;
  options.iterations = iterations;
  options.weight_iterations = weight_iterations;
  options.stop = StopRule::none;
  return options;
}

/// Picture `number` of seed 7, which no search starts from.
Image own_sample(int number) {
  GanGenerator generator(*shipped(), {.batch = 1});
  Tensor picture = generator.pictures(latent_of(shipped()->gan, 7, number, 1));
  for (float& v : picture.values()) v = 0.5f * v + 0.5f;
  return to_image(picture);
}

/// As a chessboard.
Image half_known(const Image& picture) {
  Image mask(1, picture.height(), picture.width());
  for (int y = 0; y < mask.height(); ++y)
    for (int x = 0; x < mask.width(); ++x) mask.at(0, y, x) = (x + y) % 2 == 0 ? 1.f : 0.f;
  return mask;
}

Image small_picture() { return test_picture(28, 28, 1); }

TEST(GanPrior, RecoversPicturesThatTheGeneratorMade) {
  double sum = 0;
  for (const int number : {0, 1, 2}) {
    const Image truth = own_sample(number), mask = half_known(truth);
    Image damaged = truth;
    for (std::size_t i = 0; i < mask.count(); ++i)
      if (mask.pixels()[i] == 0.f) damaged.pixels()[i] = 0.f;
    const Restored found = inpaint(damaged, mask, by_gan(8, 1500, 0));
    EXPECT_EQ(found.fit.iterations, 8 * 1500);
    EXPECT_GT(found.macs, 0u);
    const double db = psnr(found.image, truth);
    EXPECT_GT(db, 28) << number;
    sum += db;
  }
  EXPECT_GT(sum / 3, 32);
}

TEST(GanPrior, TheGeneratorsOwnWeightsComeNearerToAPictureThatItCannotMake) {
  const Image truth = small_picture();
  Image mask(1, 28, 28, 1.f);
  mask.at(0, 10, 10) = 0.f;
  const auto distance = [&](int weight_iterations) {
    const Tensor found = to_tensor(inpaint(truth, mask, by_gan(1, 50, weight_iterations)).image);
    return std::abs(found.at(0, 0, 10, 10) - truth.at(0, 10, 10));
  };
  EXPECT_LT(distance(100), distance(0));
}

TEST(GanPrior, TheBestStartGoesOnToTheWeights) {
  std::vector<std::string> phases;
  std::vector<int> bounds;
  const auto note = [&](const FitProgress& progress) {
    phases.emplace_back(progress.phase);
    bounds.push_back(progress.iterations);
    EXPECT_EQ(progress.parts, 3);
    EXPECT_EQ(progress.row.part, progress.part);
  };
  const RestoreOptions options = by_gan();
  const Restored found = denoise(small_picture(), options, {.on_iteration = note});
  EXPECT_EQ(found.fit.iterations, 2 * 20 + 10);
  EXPECT_EQ(std::ranges::count(phases, "start"), 40);
  EXPECT_EQ(std::ranges::count(phases, "weights"), 10);
  EXPECT_TRUE(std::ranges::all_of(bounds, [](int bound) { return bound == 50; }));
  ASSERT_EQ(found.fit.parts.size(), 3u);
  const float best = std::min(found.fit.parts[0].final_loss, found.fit.parts[1].final_loss);
  // The weights move little in one step of rate 0.001.
  EXPECT_NEAR(found.fit.history[40].loss, best, 0.2 * best);
  EXPECT_LT(found.fit.final_loss, best);
  EXPECT_EQ(found.fit.runs, 1);
}

TEST(GanPrior, EachPhaseResumesWithTheSameBits) {
  std::vector<std::string> states;
  const auto save = [&](const FitProgress& progress) { states.push_back(progress.save()); };
  const RestoreOptions options = by_gan();
  const Restored whole = denoise(small_picture(), options, {.on_iteration = save});
  for (const std::size_t at : {std::size_t{4}, std::size_t{19}, std::size_t{25}, std::size_t{39},
                               std::size_t{44}, states.size() - 1}) {
    const Restored resumed = denoise(small_picture(), options, {.resume = states[at]});
    EXPECT_TRUE(std::ranges::equal(resumed.fit.best.values(), whole.fit.best.values())) << at;
    EXPECT_EQ(resumed.fit.best_iteration, whole.fit.best_iteration) << at;
    ASSERT_EQ(resumed.fit.parts.size(), 3u) << at;
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_EQ(resumed.fit.parts[i].final_loss, whole.fit.parts[i].final_loss) << at << " " << i;
  }
}

TEST(GanPrior, StoppedItReturnsTheBestOfWhatIsDone) {
  const auto cancelled_after = [](int iterations) {
    std::stop_source source;
    const auto count = [&](const FitProgress& progress) {
      if (progress.row.iteration + 1 == iterations) source.request_stop();
    };
    RestoreOptions options = by_gan();
    options.stop = StopRule::none;
    return denoise(small_picture(), options, {.on_iteration = count, .cancel = source.get_token()});
  };
  const Restored in_second = cancelled_after(30),
                 alone = denoise(small_picture(), by_gan(1, 20, 0));
  EXPECT_EQ(in_second.fit.stopped_by, StoppedBy::cancelled);
  EXPECT_EQ(in_second.fit.iterations, 30);
  EXPECT_TRUE(std::ranges::equal(in_second.fit.best.values(), alone.fit.best.values()));
  const Restored between = cancelled_after(40),
                 without = denoise(small_picture(), by_gan(2, 20, 0));
  EXPECT_EQ(between.fit.stopped_by, StoppedBy::cancelled);
  EXPECT_TRUE(std::ranges::equal(between.fit.best.values(), without.fit.best.values()));
  EXPECT_EQ(cancelled_after(45).fit.iterations, 45);
}

/// What judges the weights has not been seen by the latent, either.
TEST(GanPrior, HidesTheSameValuesInAllPhases) {
  const Image noisy = simulate(small_picture(), {.sigma = 0.1f, .seed = 1}).image;
  RestoreOptions options = by_gan(2, 60, 100);
  options.stop = {};
  const Restored found = denoise(noisy, options);
  EXPECT_EQ(found.options.stop, StopRule::automatic);
  for (const HistoryRow& row : found.fit.history)
    EXPECT_EQ(row.signal.has_value(), row.part == 2) << row.iteration;
  options.sigma = 25.5;
  EXPECT_EQ(denoise(noisy, options).options.stop, StopRule::discrepancy);
}

TEST(GanPrior, SaysWhatItCannotDo) {
  const auto error = [](const Image& picture, ErrorCode code, const RestoreOptions& options,
                        std::stop_token cancel = {}) {
    return error_of([&] { denoise(picture, options, {.cancel = cancel}); }, code);
  };
  EXPECT_THAT(error(test_picture(28, 28, 3), ErrorCode::bad_input, by_gan()),
              HasSubstr("28x28 px with 1 channels, but the result has 28x28 px with 3"));
  EXPECT_THAT(error(test_picture(32, 28, 1), ErrorCode::bad_input, by_gan()),
              HasSubstr("28x32 px"));
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(error(small_picture(), ErrorCode::cancelled, by_gan(), source.get_token()).empty());
  RestoreOptions without = by_gan();
  without.gan = nullptr;
  EXPECT_THAT(error(small_picture(), ErrorCode::bad_argument, without), HasSubstr("`model`"));
  RestoreOptions both = by_gan();
  both.channels = 32;
  EXPECT_THAT(error(small_picture(), ErrorCode::bad_argument, both), HasSubstr("`channels`"));
  both = by_gan();
  both.runs = 2;
  EXPECT_THAT(error(small_picture(), ErrorCode::bad_argument, both), HasSubstr("`runs`"));
  RestoreOptions starts = tiny(4);
  starts.starts = 2;
  EXPECT_THAT(error(small_picture(), ErrorCode::bad_argument, starts), HasSubstr("`starts`"));
}

}  // namespace gan_prior_test
}  // namespace unmar
