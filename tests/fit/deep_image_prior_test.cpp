#include "unmar/fit/deep_image_prior.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "error_text.h"

namespace unmar {
namespace deep_image_prior_test {

using test::error_text;
using testing::HasSubstr;

DeepImagePriorOptions tiny() {
  DeepImagePriorOptions options;
  options.network = SkipOptions{.down = {8, 8}, .up = {8, 8}, .skip = {4, 4}};
  options.input_channels = 8;
  options.threads = 1;
  return options;
}

Tensor waves(int n, int c, int h, int w) {
  Tensor t({n, c, h, w});
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < c; ++k)
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x)
          t.at(i, k, y, x) = 0.5f + 0.4f * std::sin(0.4f * static_cast<float>(x * (i + 1) + k)) *
                                        std::cos(0.3f * static_cast<float>(y));
  return t;
}

double mse(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    sum += std::pow(double{a.values()[i]} - double{b.values()[i]}, 2);
  return sum / static_cast<double>(a.count());
}

TEST(DeepImagePrior, LearnsThePicture) {
  DeepImagePrior prior(tiny());
  const Tensor target = waves(1, 3, 24, 20);
  const Tensor before = prior.forward(prior.get_random_input(target.shape()));
  const Tensor restored = prior.generate_prior(target, 150, 0.f);
  EXPECT_EQ(restored.shape(), target.shape());
  EXPECT_LT(mse(restored, target), 0.1 * mse(before, target));
  ASSERT_EQ(prior.results().size(), 1u);
  EXPECT_EQ(prior.results()[0].iterations, 150);
}

TEST(DeepImagePrior, ForwardOfItsInputIsTheLastIterate) {
  DeepImagePrior prior(tiny());
  const Tensor target = waves(1, 3, 24, 20);
  prior.generate_prior(target, 20, 0.f);
  const Tensor z = prior.get_random_input(target.shape());
  const Tensor out = prior.forward(z);
  // One update later than the last iterate, hence not the same bits.
  EXPECT_LT(mse(out, prior.results()[0].last), 1e-3);
  EXPECT_EQ(mse(out, prior.forward(z)), 0);
}

TEST(DeepImagePrior, RandomInputFollowsTheNetwork) {
  DeepImagePriorOptions options = tiny();
  EXPECT_EQ(DeepImagePrior(options).get_random_input({1, 3, 33, 47}).shape(),
            (Shape{1, 8, 33, 47}));
  options.network = DecoderOptions{.layers = 3, .channels = 8};
  DeepImagePrior decoder(options);
  EXPECT_EQ(decoder.get_random_input({2, 3, 64, 48}).shape(), (Shape{2, 8, 8, 6}));
  const Tensor z = decoder.get_random_input({1, 3, 33, 47});
  EXPECT_EQ(z.shape(), (Shape{1, 8, 5, 6}));
  EXPECT_EQ(decoder.forward(z).shape(), (Shape{1, 3, 33, 47}));
}

TEST(DeepImagePrior, FitsEachImageOfAStackByItself) {
  const Tensor stack = waves(2, 1, 16, 16);
  DeepImagePrior prior(tiny());
  const Tensor both = prior.generate_prior(stack, 15, 0.02f);
  ASSERT_EQ(prior.results().size(), 2u);
  for (int i = 0; i < 2; ++i) {
    Tensor one({1, 1, 16, 16});
    std::copy_n(stack.data() + static_cast<std::size_t>(i) * one.count(), one.count(), one.data());
    const Tensor alone = DeepImagePrior(tiny()).generate_prior(one, 15, 0.02f);
    for (std::size_t k = 0; k < one.count(); ++k)
      ASSERT_EQ(both.values()[static_cast<std::size_t>(i) * one.count() + k], alone.values()[k]);
  }
  EXPECT_EQ(prior.forward(prior.get_random_input(stack.shape())).shape(), stack.shape());
  EXPECT_THAT(error_text([&] {
                prior.forward(prior.get_random_input({3, 1, 16, 16}));
              }),
              HasSubstr("give one per image"));
}

TEST(DeepImagePrior, ACallbackOrAStopperEndsIt) {
  DeepImagePrior prior(tiny());
  const Tensor target = waves(1, 3, 16, 16);
  PriorContext context;
  context.on_iteration = [](int, const FitProgress& p) { return p.row.iteration < 4; };
  prior.generate_prior(target, 100, 0.f, "cpu", context);
  EXPECT_EQ(prior.results()[0].iterations, 5);
  EXPECT_EQ(prior.results()[0].stopped_by, StoppedBy::cancelled);
  context = {};
  context.make_stopper = [] {
    return make_windowed_variance({.window = 2, .patience = 3, .min_start = 0});
  };
  prior.generate_prior(target, 400, 0.f, "cpu", context);
  EXPECT_EQ(prior.results()[0].stopped_by, StoppedBy::stopper);
}

TEST(DeepImagePrior, RestoresThroughAnOperator) {
  DeepImagePrior prior(tiny());
  PriorContext context;
  const auto half = make_reduction(ReduceKernel::box, 2);
  context.observation = half.get();
  context.image_shape = {1, 3, 24, 20};
  const Tensor large = prior.generate_prior(waves(1, 3, 12, 10), 10, 0.f, "cpu", context);
  EXPECT_EQ(large.shape(), (Shape{1, 3, 24, 20}));
}

TEST(DeepImagePrior, OptimisesWhatItIsTold) {
  const Tensor target = waves(1, 3, 16, 16);
  for (const Optimise what : {Optimise::weights, Optimise::weights_and_input, Optimise::input,
                              Optimise::norms, Optimise::norms_and_input}) {
    DeepImagePriorOptions options = tiny();
    options.optimise = what;
    DeepImagePrior prior(options);
    prior.generate_prior(target, 40, 0.f);
    const auto& history = prior.results()[0].history;
    EXPECT_LT(history.back().loss, history.front().loss) << static_cast<int>(what);
  }
}

TEST(DeepImagePrior, NamesTheMissingDevice) {
  DeepImagePrior prior(tiny());
  EXPECT_THAT(error_text(
                  [&] {
                    prior.get_random_input({1, 3, 8, 8}, "cuda");
                  },
                  ErrorCode::unsupported),
              HasSubstr("has no such device here, only cpu"));
  EXPECT_THAT(error_text([&] { prior.generate_prior(waves(1, 3, 8, 8), 1, 0.f, "abacus"); }),
              HasSubstr("'abacus'"));
}

}  // namespace deep_image_prior_test
}  // namespace unmar
