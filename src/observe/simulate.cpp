#include <cmath>
#include <vector>

#include "base/fail.h"
#include "unmar/observe.h"
#include "unmar/random.h"

namespace unmar {
namespace {

void check(const Image& clean, const SimulateOptions& options) {
  if (clean.empty()) fail(ErrorCode::bad_argument, "simulate: the picture is empty");
  if (!(options.sigma >= 0.f && options.sigma <= 1.f))
    fail(ErrorCode::bad_argument,
         "simulate: sigma must be in [0,1], got {}; divide by 255 if it is in 8-bit levels",
         options.sigma);
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
  return to_image(apply(*A, to_tensor(part)), source);
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
  result.image = options.shrink == 1 ? clean : shrunk(clean, options.kernel, options.shrink);
  if (options.sigma > 0.f) add_noise(result.image, options.sigma, options.seed);
  // Also after a mere reduction, whose negative lobes overshoot.
  if (options.clip && (options.sigma > 0.f || options.shrink != 1))
    result.image = clamped(result.image);
  if (options.missing > 0.f)
    result.mask = remove_pixels(result.image, options.missing, options.seed);
  return result;
}

}  // namespace unmar
