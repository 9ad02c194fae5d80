#include <algorithm>
#include <cmath>
#include <vector>

#include "base/fail.h"
#include "unmar/base/random.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace {

void check(const Image& clean, const SimulateOptions& options) {
  if (clean.empty()) fail(ErrorCode::bad_argument, "simulate: the picture is empty");
  if (!(options.sigma >= 0.f && options.sigma <= 1.f))
    fail(ErrorCode::bad_argument,
         "simulate: sigma must be in [0,1], got {}; divide by 255 if it is in 8-bit levels",
         options.sigma);
  const auto require = [](float value, float most, const char* name) {
    if (!(value >= 0.f && value <= most))
      fail(ErrorCode::bad_argument, "simulate: {} must be in [0,{}], got {}", name, most, value);
  };
  require(options.poisson, 500.f, "poisson");
  require(options.speckle, 1.f, "speckle");
  require(options.salt_pepper, 1.f, "salt_pepper");
  if (!(options.missing >= 0.f && options.missing < 1.f))
    fail(ErrorCode::bad_argument, "simulate: missing must be in [0,1), got {}", options.missing);
}

Image shrunk(const Image& clean, ReduceKernel kernel, int factor) {
  const auto A = make_reduction(kernel, factor);
  const int height = clean.height() / factor * factor;
  const int width = clean.width() / factor * factor;
  if (height == 0 || width == 0)
    fail(ErrorCode::bad_argument, "simulate: cannot shrink {}x{} by {}", clean.width(),
         clean.height(), factor);
  const Image part =
      crop(clean, (clean.height() - height) / 2, (clean.width() - width) / 2, height, width);
  ImageSource source = clean.source;
  source.alpha.clear();
  source.metadata = rescaled(source.metadata, 1. / factor);
  return to_image(apply(*A, to_tensor(part)), source);
}

Image blurred(const Image& clean, const Operator& blur) {
  const Tensor x = to_tensor(clean);
  if (blur.output_shape(x.shape()) != x.shape())
    fail(ErrorCode::bad_argument, "simulate: the blur must keep the size; a {} does not",
         blur.describe());
  return to_image(apply(blur, x), clean.source);
}

/// The count whose cumulative probability passes `u`; mean <= 500, so that exp(-mean) is a number.
int poisson_count(double mean, double u) {
  constexpr int kMost = 1000;  // beyond 20 sigma
  double probability = std::exp(-mean), sum = probability;
  int count = 0;
  while (u >= sum && count < kMost) {
    probability *= mean / ++count;
    sum += probability;
  }
  return count;
}

void count_photons(Image& image, float photons, std::uint64_t seed) {
  std::vector<float> u(image.count());
  Random(seed, "poisson").uniform(u, 0.f, 1.f);
  const auto pixels = image.pixels();
  for (std::size_t i = 0; i < u.size(); ++i) {
    const double light = std::clamp(static_cast<double>(pixels[i]), 0.0, 1.0);
    const double mean = light * static_cast<double>(photons);
    pixels[i] = static_cast<float>(poisson_count(mean, static_cast<double>(u[i]))) / photons;
  }
}

void add_speckle(Image& image, float sigma, std::uint64_t seed) {
  std::vector<float> factor(image.count());
  Random(seed, "speckle").normal(factor, 1.f, sigma);
  const auto pixels = image.pixels();
  for (std::size_t i = 0; i < factor.size(); ++i) pixels[i] *= factor[i];
}

void add_salt_and_pepper(Image& image, float fraction, std::uint64_t seed) {
  std::vector<float> u(image.count());
  Random(seed, "salt_pepper").uniform(u, 0.f, 1.f);
  const auto pixels = image.pixels();
  for (std::size_t i = 0; i < u.size(); ++i)
    if (u[i] < fraction) pixels[i] = u[i] < fraction / 2 ? 0.f : 1.f;
}

void add_noise(Image& image, float sigma, std::uint64_t seed) {
  std::vector<float> noise(image.count());
  Random(seed, "noise").normal(noise, 0.f, sigma);
  const auto pixels = image.pixels();
  for (std::size_t i = 0; i < noise.size(); ++i) pixels[i] += noise[i];
}

/// Sets the lost pixels to 0 in all channels; returns the mask.
Image remove_pixels(Image& image, float missing, std::uint64_t seed) {
  Image mask(1, image.height(), image.width());
  Random(seed, "missing").bernoulli(mask.pixels(), 1.f - missing);
  for (int c = 0; c < image.channels(); ++c) {
    const auto plane = image.plane(c);
    for (std::size_t i = 0; i < plane.size(); ++i)
      if (mask.pixels()[i] == 0.f) plane[i] = 0.f;
  }
  return mask;
}

}  // namespace

Simulated simulate(const Image& clean, const SimulateOptions& options) {
  check(clean, options);
  Simulated result;
  result.image = options.blur ? blurred(clean, *options.blur) : clean;
  if (options.shrink != 1) result.image = shrunk(result.image, options.kernel, options.shrink);
  if (options.poisson > 0.f) count_photons(result.image, options.poisson, options.seed);
  if (options.speckle > 0.f) add_speckle(result.image, options.speckle, options.seed);
  if (options.sigma > 0.f) add_noise(result.image, options.sigma, options.seed);
  // Also after a mere reduction or blur, whose negative lobes overshoot.
  const bool noisy = options.sigma > 0.f || options.poisson > 0.f || options.speckle > 0.f;
  if (options.clip && (noisy || options.blur || options.shrink != 1))
    result.image = clamped(result.image);
  if (options.salt_pepper > 0.f)
    add_salt_and_pepper(result.image, options.salt_pepper, options.seed);
  if (options.missing > 0.f)
    result.mask = remove_pixels(result.image, options.missing, options.seed);
  return result;
}

}  // namespace unmar
