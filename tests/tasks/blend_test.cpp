#include "tasks/blend.h"

#include <numeric>

#include "tasks/stopping.h"
#include "tasks/support.h"
#include "unmar/base/random.h"

namespace unmar::tasks_test {
namespace blend_test {

constexpr float kSigma = 25.f / 255;

Image noisy_picture(int height = 64, int width = 64, int channels = 3) {
  return simulate(test_picture(height, width, channels), {.sigma = kSigma, .seed = 1}).image;
}

bool same_pixels(const Image& a, const Image& b) {
  return std::equal(a.pixels().begin(), a.pixels().end(), b.pixels().begin(), b.pixels().end());
}

/// A network of little strength, long enough to learn something.
RestoreOptions short_fit() { return tiny(40); }

std::vector<float> drawn(const char* name, std::size_t count, float mean, float sigma) {
  std::vector<float> values(count);
  Random(7, name).normal(values, mean, sigma);
  return values;
}

TEST(BlendWeights, AreThoseOfTheOnlyCandidateWithoutError) {
  constexpr std::size_t kCount = 5000;
  const auto noisy = drawn("noise", kCount, 0.5f, 0.1f);
  const std::vector<float> clean(kCount, 0.5f);
  const auto far = drawn("far", kCount, 0.5f, 0.3f), biased = std::vector<float>(kCount, 0.8f);
  std::vector<double> errors;
  const auto weights = blend_weights({far, clean, biased}, noisy, {0.6, 0.2, 0.2}, errors);
  EXPECT_GE(weights[1], 0.95);
  EXPECT_NEAR(errors[1], 0.01, 0.001) << "that of the noise";
  EXPECT_NEAR(errors[2], 0.01 + 0.09, 0.005);
}

TEST(BlendWeights, StayTheUsualOnesWhereTheValuesCannotTell) {
  const auto noisy = drawn("noise", 100, 0.5f, 0.1f);
  const std::vector<float> same(100, 0.5f);
  std::vector<double> errors;
  const std::vector<double> usual = {0.6, 0.3, 0.1};
  const auto weights = blend_weights({same, same, same}, noisy, usual, errors);
  for (std::size_t i = 0; i < usual.size(); ++i) EXPECT_NEAR(weights[i], usual[i], 1e-9);
}

TEST(BlendWeights, TakeTheMeanOfTwoWithOppositeErrors) {
  constexpr std::size_t kCount = 20'000;
  const auto noisy = drawn("noise", kCount, 0.5f, 0.02f);
  std::vector<float> above = drawn("error", kCount, 0.f, 0.1f), below = above;
  for (std::size_t i = 0; i < kCount; ++i) above[i] += 0.5f, below[i] = 1.f - above[i];
  std::vector<double> errors;
  const auto weights = blend_weights({above, below}, noisy, {0.9, 0.1}, errors);
  EXPECT_NEAR(weights[0], 0.5, 0.051);  // the steps are of 0.05
  EXPECT_NEAR(weights[0] + weights[1], 1, 1e-9);
}

TEST(Blend, IsTheWeightedSumOfItsCandidates) {
  const Restored result = denoise(noisy_picture(), short_fit());
  ASSERT_EQ(result.candidates.size(), 3u);
  EXPECT_EQ(result.candidates[0].name, "patches");
  EXPECT_EQ(result.candidates[1].name, "dip");
  EXPECT_EQ(result.candidates[2].name, "dip+patches");
  double weights = 0;
  for (const Candidate& c : result.candidates) {
    EXPECT_GE(c.weight, 0);
    EXPECT_TRUE(c.error.has_value()) << c.name;
    weights += c.weight;
  }
  EXPECT_NEAR(weights, 1, 1e-9);
  for (std::size_t i = 0; i < result.image.count(); ++i) {
    double sum = 0;
    bool inside = true;
    for (const Candidate& c : result.candidates) {
      const float v = c.image.pixels()[i];
      inside = inside && v > 0.f && v < 1.f;  // clamped ones may differ
      sum += c.weight * static_cast<double>(v);
    }
    if (!inside) continue;
    ASSERT_NEAR(static_cast<double>(result.image.pixels()[i]), sum, 1e-5) << i;
  }
}

TEST(Blend, IsNotWorseThanTheFilterWhenTheFitIsHopeless) {
  constexpr double kChance = 0.1;  // dB
  const Image clean = test_picture(64, 64);
  RestoreOptions options = tiny(2);  // two iterations learn nothing
  const Restored result = denoise(noisy_picture(), options, {.reference = &clean});
  ASSERT_LT(*result.candidates[1].psnr, *result.candidates[0].psnr - 5) << "this tests nothing";
  EXPECT_GE(*result.psnr, *result.candidates[0].psnr - kChance);
}

/// Stripes that a fit of few iterations knows nothing of.
Image striped_picture(int side) {
  Image image = test_picture(side, side);
  for (int c = 0; c < image.channels(); ++c)
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x)
        image.at(c, y, x) +=
            0.2f * std::sin(1.3f * static_cast<float>(x) + 0.5f * static_cast<float>(y));
  return image;
}

TEST(Blend, IsNotWorseThanTheFilterWhenAPoorFitMisleadsIt) {
  constexpr double kChance = 0.1;  // dB
  const Image clean = striped_picture(96);
  const Image noisy = simulate(clean, {.sigma = kSigma, .seed = 1}).image;
  RestoreOptions options = tiny(40);
  options.input = InputKind::uniform;
  const Restored result = denoise(noisy, options, {.reference = &clean});
  ASSERT_LT(*result.candidates[2].psnr, *result.candidates[0].psnr - 1) << "this tests nothing";
  EXPECT_GE(*result.psnr, *result.candidates[0].psnr - kChance);
  EXPECT_LT(*result.candidates[0].error, *result.candidates[1].error);
}

TEST(Blend, TheFitAmongItIsTheFitAlone) {
  RestoreOptions automatic = short_fit(), alone = short_fit();
  automatic.stop = alone.stop = StopRule::held_out;
  automatic.patience = alone.patience = 100;
  automatic.input = InputKind::uniform;
  alone.method = Method::dip;
  const Restored both = denoise(noisy_picture(), automatic);
  const Restored fit = denoise(noisy_picture(), alone);
  EXPECT_TRUE(same_pixels(both.candidates[1].image, fit.image));
  EXPECT_TRUE(fit.candidates.empty());
  EXPECT_FALSE(fit.noise.has_value());
}

TEST(Blend, HidesTheSamePixelsFromAllRuns) {
  RestoreOptions options = tiny(8);
  options.runs = 3;
  options.input = InputKind::uniform;
  const Restored result = denoise(noisy_picture(), options);
  EXPECT_EQ(result.fit.runs, 3);
  EXPECT_TRUE(result.candidates[1].error.has_value());
  // Alone with the pixels of the first run hidden, the second has the same first losses.
  RestoreOptions hidden = tiny(8);
  hidden.method = Method::dip;
  hidden.stop = StopRule::held_out;
  const Restored first = denoise(noisy_picture(), hidden);
  EXPECT_EQ(result.fit.history.front().loss, first.fit.history.front().loss);
}

TEST(Blend, ShowsTheFilterBeforeTheFitBegins) {
  std::vector<std::string> order;
  RestoreContext context;
  context.on_first_result = [&](const Candidate& c) { order.push_back(c.name); };
  context.on_iteration = [&](const FitProgress&) { order.push_back("iteration"); };
  double share = 0;
  context.on_filter = [&](double done) { share = done; };
  denoise(noisy_picture(), tiny(2), context);
  EXPECT_EQ(order, (std::vector<std::string>{"patches", "iteration", "iteration"}));
  EXPECT_NEAR(share, 1, 1e-9);
}

TEST(Blend, TheFitStartsFromTheFiltersResult) {
  RestoreOptions options = short_fit();
  options.stop = std::nullopt;
  const Image clean = test_picture(64, 64);
  Tensor z;
  RestoreContext context;
  context.reference = &clean;
  context.on_scene = [&](const FitScene& scene) { z = scene.z; };
  const Restored filtered = denoise(noisy_picture(), options, context);
  EXPECT_EQ(filtered.options.input, InputKind::filtered);
  ASSERT_EQ(z.shape(), (Shape{1, 3, 64, 64}));
  EXPECT_GT(psnr(to_image(z, {}), clean), *filtered.psnr_input + 5);
  options.input = InputKind::uniform;
  const Restored random = denoise(noisy_picture(), options, context);
  EXPECT_GT(*filtered.fit.history.back().psnr, *random.fit.history.back().psnr + 1);

  options.input = InputKind::filtered;
  options.method = Method::dip;
  EXPECT_THAT(error_of([&] { denoise(noisy_picture(), options); }),
              testing::HasSubstr("`method` auto"));
}

TEST(Blend, AFitThatStartsFromTheFiltersResultIsShortUnlessTheUserSaysOtherwise) {
  const auto iterations = [](const Image& noisy, const RestoreOptions& given) {
    std::stop_source source;
    RestoreContext context;
    context.cancel = source.get_token();
    int most = 0;
    context.on_start = [&](const Restored& start) {
      most = *start.options.iterations;
      source.request_stop();
    };
    denoise(noisy, given, context);
    return most;
  };
  constexpr int kShort = 200;
  for (const int side : {64, 208}) EXPECT_EQ(iterations(noisy_picture(side, side), {}), kShort);
  EXPECT_EQ(iterations(noisy_picture(), {.iterations = 321}), 321);
  EXPECT_GT(iterations(noisy_picture(), {.stop = StopRule::none}), kShort);
  EXPECT_GT(iterations(noisy_picture(), {.stop = StopRule::wmv}), kShort);
  EXPECT_GT(iterations(noisy_picture(), {.noise = NoiseKind::correlated}), kShort);
}

TEST(Blend, TheFilterThatTheFitStartsFromHasNotSeenWhatIsHidden) {
  const RestoreOptions options = resolve(Task::denoise, short_fit());
  Plan plan = make_plan(Task::denoise, noisy_picture(), nullptr, options);
  Hidden hidden{Tensor(plan.y.shape(), 0.f), {}};
  for (std::size_t i = 0; i < hidden.from_fit.count(); i += 23) hidden.from_fit.data()[i] = 1.f;
  const auto made = [&] {
    Blend blend(plan, options, {});
    const Tensor seeing = to_tensor(blend.filter().image);
    return std::pair{seeing, blend.filter_without(hidden)};
  };
  const auto before = made();
  for (std::size_t i = 0; i < hidden.from_fit.count(); i += 23) plan.y.data()[i] = 0.5f;
  const auto after = made();
  EXPECT_TRUE(std::ranges::equal(before.second.values(), after.second.values()));
  EXPECT_FALSE(std::ranges::equal(before.first.values(), after.first.values()));
}

TEST(Blend, ACancelledFitLeavesTheFiltersResult) {
  std::stop_source source;
  RestoreContext context;
  Image first;
  context.on_first_result = [&](const Candidate& c) { first = c.image; };
  context.on_iteration = [&](const FitProgress&) { source.request_stop(); };
  context.cancel = source.get_token();
  const Restored result = denoise(noisy_picture(), short_fit(), context);
  EXPECT_EQ(result.fit.stopped_by, StoppedBy::cancelled);
  EXPECT_TRUE(same_pixels(result.image, first));
  ASSERT_EQ(result.candidates.size(), 1u);
  EXPECT_EQ(result.candidates[0].weight, 1);
}

TEST(Blend, CancelledWithinTheFirstIterationItIsTheFiltersResultToo) {
  std::stop_source source;
  RestoreContext context;
  Image first;
  context.on_first_result = [&](const Candidate& c) {
    first = c.image;
    source.request_stop();
  };
  context.cancel = source.get_token();
  const Restored result = denoise(noisy_picture(), short_fit(), context);
  EXPECT_EQ(result.fit.stopped_by, StoppedBy::cancelled);
  EXPECT_EQ(result.fit.iterations, 0);
  EXPECT_TRUE(same_pixels(result.image, first));
}

TEST(Blend, AFilterAloneThatIsCancelledSaysSo) {
  std::stop_source source;
  RestoreOptions options = tiny();
  options.method = Method::patches;
  RestoreContext context;
  context.cancel = source.get_token();
  EXPECT_EQ(denoise(noisy_picture(), options, context).fit.stopped_by, StoppedBy::iterations);
  context.on_filter = [&](double) { source.request_stop(); };
  EXPECT_EQ(denoise(noisy_picture(), options, context).fit.stopped_by, StoppedBy::cancelled);
}

TEST(Blend, CancelledBehindTheFitItIsTheFiltersResultToo) {
  std::stop_source source;
  RestoreContext context;
  bool fitted = false;
  Image first;
  context.on_first_result = [&](const Candidate& c) { first = c.image; };
  context.on_iteration = [&](const FitProgress&) { fitted = true; };
  context.on_filter = [&](double) {
    if (fitted) source.request_stop();
  };
  context.cancel = source.get_token();
  const Restored result = denoise(noisy_picture(), tiny(3), context);
  EXPECT_EQ(result.fit.stopped_by, StoppedBy::cancelled);
  EXPECT_EQ(result.fit.iterations, 3);
  EXPECT_TRUE(same_pixels(result.image, first));
}

TEST(Blend, IsTheSameForEveryNumberOfThreads) {
  RestoreOptions options = tiny(3);
  const Image one = denoise(noisy_picture(), options).image;
  for (const int threads : {2, 3}) {
    options.threads = threads;
    EXPECT_TRUE(same_pixels(denoise(noisy_picture(), options).image, one)) << threads;
  }
}

TEST(Blend, TheChosenMomentIsFinishedToTheResult) {
  Tensor average;
  RestoreContext context;
  context.on_iteration = [&](const FitProgress& p) { average = p.average; };
  const Restored result = denoise(noisy_picture(), tiny(5), context);
  const Image again = finish_moment(Task::denoise, noisy_picture(), nullptr, tiny(5), average);
  EXPECT_TRUE(same_pixels(again, result.image));
}

TEST(Blend, OfAPictureTooSmallToHidePixelsIsTheFilter) {
  const Restored result = denoise(noisy_picture(8, 8), tiny(3));
  ASSERT_EQ(result.candidates.size(), 3u);
  EXPECT_FALSE(result.candidates[0].error.has_value());
  EXPECT_EQ(result.candidates[0].weight, 1);
}

TEST(Blend, UnderCorrelatedNoiseWholeNeighbourhoodsAreHidden) {
  RestoreOptions options = tiny(3);
  options.noise = NoiseKind::correlated;
  const RestoreOptions resolved = resolve(Task::denoise, options);
  const Plan plan = make_plan(Task::denoise, noisy_picture(96, 96), nullptr, resolved);
  ASSERT_EQ(plan.noise->kind, NoiseKind::correlated);
  const Hidden hidden = make_stopping(Task::denoise, plan, resolved).hidden;
  const Shape& s = hidden.compared.shape();
  int compared = 0;
  for (int y = 1; y + 1 < s.h; ++y)
    for (int x = 1; x + 1 < s.w; ++x) {
      if (hidden.compared.at(0, 0, y, x) == 0.f) continue;
      ++compared;
      for (int v = -1; v <= 1; ++v)
        for (int u = -1; u <= 1; ++u)
          ASSERT_EQ(hidden.from_fit.at(0, 0, y + v, x + u), 1.f) << y << " " << x;
    }
  EXPECT_GT(compared, 20);
}

TEST(Blend, RefusesADamageWhoseObservationIsNoPictureOfTheResult) {
  const RestoreOptions resolved = resolve(Task::denoise, tiny(3));
  Plan plan = make_plan(Task::denoise, noisy_picture(16, 16), nullptr, resolved);
  EXPECT_NO_THROW(Blend(plan, resolved, {}));
  plan.A = make_reduction(ReduceKernel::box, 2);
  EXPECT_THROW(Blend(plan, resolved, {}), Error);
}

TEST(Blend, SaltAndPepperAreHolesToTheFit) {
  const Image clean = test_picture(64, 64);
  const Image peppered = simulate(clean, {.salt_pepper = 0.1f, .seed = 1}).image;
  const RestoreOptions resolved = resolve(Task::denoise, tiny(3));
  const Plan plan = make_plan(Task::denoise, peppered, nullptr, resolved);
  EXPECT_NEAR(plan.noise->impulses, 0.1, 0.02);
  const Tensor is_known = fully_known(plan);
  const double known = std::reduce(is_known.values().begin(), is_known.values().end(), 0.0);
  EXPECT_NEAR(known / static_cast<double>(clean.count()), 0.9, 0.02);
  const Restored result = denoise(peppered, tiny(3), {.reference = &clean});
  EXPECT_GT(*result.candidates[0].psnr, *result.psnr_input + 15);
}

TEST(Blend, InpaintingFillsHolesByTheFitAndCleansWhatIsKnown) {
  const Image clean = test_picture(64, 64);
  Image holed = noisy_picture();
  Image mask(1, 64, 64, 1.f);
  for (int y = 20; y < 30; ++y)
    for (int x = 30; x < 40; ++x) {
      mask.at(0, y, x) = 0.f;
      for (int c = 0; c < 3; ++c) holed.at(c, y, x) = 0.f;
    }
  RestoreOptions options = short_fit();
  options.method = Method::automatic;
  const Restored result = inpaint(holed, mask, options, {.reference = &clean});
  ASSERT_EQ(result.candidates.size(), 3u);
  EXPECT_EQ(result.image.at(0, 25, 35), result.candidates[1].image.at(0, 25, 35));
  double before = 0, after = 0;
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 64; ++x) {
      before += std::pow(holed.at(0, y, x) - clean.at(0, y, x), 2);
      after += std::pow(result.image.at(0, y, x) - clean.at(0, y, x), 2);
    }
  EXPECT_LT(after, before / 4);
}

TEST(Blend, InpaintingRefusesTheFilterAlone) {
  RestoreOptions options = tiny();
  options.method = Method::patches;
  EXPECT_THAT(error_of([&] { resolve(Task::inpaint, options); }),
              testing::HasSubstr("inpaint: `method` patches"));
}

TEST(Patches, AloneHaveNoFit) {
  RestoreOptions options = tiny();
  options.method = Method::patches;
  const Image clean = test_picture(64, 64);
  const Restored result = denoise(noisy_picture(), options, {.reference = &clean});
  EXPECT_EQ(result.fit.iterations, 0);
  EXPECT_EQ(result.params, 0u);
  ASSERT_EQ(result.candidates.size(), 1u);
  EXPECT_GT(*result.psnr, *result.psnr_input + 8);
  EXPECT_TRUE(same_pixels(result.image, patches_denoise(noisy_picture())));
}

TEST(Method, OfThePaperAndOfOtherPriorsIsTheFitAlone) {
  EXPECT_EQ(resolve(Task::denoise, {}).method, Method::automatic);
  EXPECT_EQ(resolve(Task::denoise, {.preset = Preset::best}).method, Method::automatic);
  EXPECT_EQ(resolve(Task::denoise, {.preset = Preset::paper}).method, Method::dip);
  EXPECT_EQ(resolve(Task::denoise, {.prior = FitPrior::staged}).method, Method::dip);
  EXPECT_EQ(resolve(Task::inpaint, {}).method, Method::dip);
}

}  // namespace blend_test
}  // namespace unmar::tasks_test
