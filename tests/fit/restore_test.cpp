#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "unmar/fit/fit.h"
#include "unmar/image/image.h"
#include "unmar/observe/observe.h"

// Whole fits with the best engine there is, kept small: a gray 64x64 scene, two scales of 16
// channels, one thread.
namespace unmar {
namespace restore_test {

constexpr int kSize = 64;

/// A disc and a box over a ramp: smooth shapes with sharp edges.
Image scene() {
  Image image(1, kSize, kSize);
  for (int row = 0; row < kSize; ++row)
    for (int col = 0; col < kSize; ++col) {
      const double x = (col + 0.5) / kSize, y = (row + 0.5) / kSize;
      double value = 0.25 + 0.3 * x;
      if (std::hypot(x - 0.35, y - 0.4) < 0.22) value = 0.85 - 0.3 * y;
      if (x > 0.6 && x < 0.88 && y > 0.5 && y < 0.9) value = 0.12 + 0.1 * y;
      image.at(0, row, col) = static_cast<float>(value);
    }
  return image;
}

FitResult restore(const Image& observed, const Operator& A, Stopper& stopper, int iterations,
                  std::uint64_t seed = 1) {
  ProblemOptions problem;
  problem.network = SkipOptions{.down = {16, 16}, .up = {16, 16}, .skip = {4, 4}};
  problem.input_channels = 16;
  problem.seed = seed;
  FitOptions options;
  options.iterations = iterations;
  options.threads = 1;      // so small a picture gains nothing from more
  options.average = 0.95f;  // the network converges in some 300 iterations; 0.99 would lag behind
  options.seed = seed;
  const Tensor reference = to_tensor(scene());
  return fit(make_problem(to_tensor(observed), reference.shape(), A, problem), *make_engine("auto"),
             options, stopper, &reference);
}

FitResult restore(const Image& observed, const Operator& A) {
  return restore(observed, A, *make_fixed_count(), 500);
}

/// Missing pixels become the mean of the known ones in the smallest square around them.
Image filled(const Image& image, const Image& mask) {
  Image result = image;
  for (int row = 0; row < kSize; ++row)
    for (int col = 0; col < kSize; ++col) {
      double sum = 0, count = mask.at(0, row, col) > 0.f;
      if (count > 0) continue;
      for (int reach = 1; count == 0; ++reach)
        for (int y = std::max(0, row - reach); y <= std::min(kSize - 1, row + reach); ++y)
          for (int x = std::max(0, col - reach); x <= std::min(kSize - 1, col + reach); ++x) {
            sum += static_cast<double>(image.at(0, y, x) * mask.at(0, y, x));
            count += static_cast<double>(mask.at(0, y, x));
          }
      result.at(0, row, col) = static_cast<float>(sum / count);
    }
  return result;
}

/// Bilinear, half-pixel centres.
Image enlarged(const Image& image, int factor) {
  const auto sample = [&](int row, int col) {
    return static_cast<double>(
        image.at(0, std::clamp(row, 0, image.height() - 1), std::clamp(col, 0, image.width() - 1)));
  };
  Image result(1, image.height() * factor, image.width() * factor);
  for (int row = 0; row < result.height(); ++row)
    for (int col = 0; col < result.width(); ++col) {
      const double y = (row + 0.5) / factor - 0.5, x = (col + 0.5) / factor - 0.5;
      const int y0 = static_cast<int>(std::floor(y)), x0 = static_cast<int>(std::floor(x));
      const double v = y - y0, u = x - x0;
      result.at(0, row, col) =
          static_cast<float>((1 - v) * ((1 - u) * sample(y0, x0) + u * sample(y0, x0 + 1)) +
                             v * ((1 - u) * sample(y0 + 1, x0) + u * sample(y0 + 1, x0 + 1)));
    }
  return result;
}

/// The least gains are about two thirds of what seeds 1 to 3 reached: rounding, so the engine,
/// takes a fit another way like a seed does.
void expect_gain(const FitResult& result, const Image& baseline, double least_gain) {
  const double before = psnr(baseline, scene()), after = psnr(to_image(result.best), scene());
  EXPECT_GT(after, before + least_gain) << "baseline " << before << " dB, restored " << after;
}

TEST(Restore, DenoisingGainsOverTheNoisyImage) {
  const Simulated noisy = simulate(scene(), {.sigma = 25.f / 255, .seed = 4});
  expect_gain(restore(noisy.image, *make_identity()), noisy.image, 6.0);  // 8.4 to 8.7
}

TEST(Restore, InpaintingHalfThePixelsGainsOverTheMeanOfTheNeighbours) {
  const Simulated damaged = simulate(scene(), {.missing = 0.5f, .seed = 4});
  const FitResult result = restore(damaged.image, *make_mask(to_tensor(damaged.mask)));
  expect_gain(result, filled(damaged.image, damaged.mask), 1.3);  // 2.1 to 2.4
}

class Upscaling : public testing::TestWithParam<int> {};
TEST_P(Upscaling, GainsOverBilinear) {
  const int factor = GetParam();
  const Simulated small = simulate(scene(), {.shrink = factor});
  const FitResult result = restore(small.image, *make_reduction(ReduceKernel::lanczos2, factor));
  expect_gain(result, enlarged(small.image, factor),
              factor == 2 ? 2.5 : 1.8);  // 3.8 to 4.5, 2.8 to 3.7
}
INSTANTIATE_TEST_SUITE_P(Restore, Upscaling, testing::Values(2, 4),
                         testing::PrintToStringParamName());

class EarlyStop : public testing::TestWithParam<decltype(&make_windowed_variance)> {};
TEST_P(EarlyStop, EndsADenoisingFitByItselfNearItsPeak) {
  const Simulated noisy = simulate(scene(), {.sigma = 25.f / 255, .seed = 4});
  const auto stopper = GetParam()({.patience = 300});
  const FitResult result = restore(noisy.image, *make_identity(), *stopper, 1000);
  EXPECT_EQ(result.stopped_by, StoppedBy::stopper);
  double peak = 0;
  for (const HistoryRow& row : result.history) peak = std::max(peak, *row.psnr_average);
  // Seeds 1 to 3: chosen 0.04 to 0.36 dB below the peak; the fit loses 2 dB by its end.
  EXPECT_GT(psnr(to_image(result.best), scene()), peak - 0.8);
  EXPECT_LT(*result.history.back().psnr_average, peak - 0.8) << "there was nothing to find";
}
INSTANTIATE_TEST_SUITE_P(Restore, EarlyStop,
                         testing::Values(make_windowed_variance, make_moving_variance),
                         [](const auto& test) {
                           return test.index == 0 ? "WindowedVariance" : "MovingVariance";
                         });

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.count() * sizeof(float)) == 0;
}

TEST(Restore, SameSeedGivesTheSameBitsAndAnotherSeedDoesNot) {
  const Image noisy = simulate(scene(), {.sigma = 25.f / 255, .seed = 4}).image;
  const auto run = [&](std::uint64_t seed) {
    return restore(noisy, *make_identity(), *make_fixed_count(), 12, seed);
  };
  const FitResult first = run(5), second = run(5), other = run(6);
  EXPECT_TRUE(same_bits(first.best, second.best));
  EXPECT_TRUE(same_bits(first.last, second.last));
  for (std::size_t i = 0; i < first.history.size(); ++i)
    EXPECT_EQ(first.history[i].loss, second.history[i].loss);
  EXPECT_FALSE(same_bits(first.last, other.last));
}

}  // namespace restore_test
}  // namespace unmar
