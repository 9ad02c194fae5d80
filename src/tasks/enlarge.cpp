#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/fail.h"
#include "unmar/tasks/tasks.h"

namespace unmar {
namespace {

/// Keys 1981, a = -0.5.
float cubic(float x) {
  x = std::abs(x);
  if (x < 1.f) return (1.5f * x - 2.5f) * x * x + 1.f;
  if (x < 2.f) return ((-0.5f * x + 2.5f) * x - 4.f) * x + 2.f;
  return 0.f;
}

float linear(float x) { return std::max(0.f, 1.f - std::abs(x)); }

/// Enlarges the rows of h x w: [h,w] -> [h, w * factor]. Both kernels reach at most 2 pixels.
std::vector<float> widen(std::span<const float> src, int h, int w, int factor,
                         float (*kernel)(float)) {
  const auto index = [](int row, int col, int width) {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(col);
  };
  std::vector<float> dst(src.size() * static_cast<std::size_t>(factor));
  for (int x = 0; x < w * factor; ++x) {
    const float centre = (static_cast<float>(x) + 0.5f) / static_cast<float>(factor) - 0.5f;
    const int first = static_cast<int>(std::floor(centre)) - 1;
    std::array<float, 4> taps{};
    std::array<int, 4> column{};
    for (int k = 0; k < 4; ++k) {
      const auto i = static_cast<std::size_t>(k);
      taps[i] = kernel(centre - static_cast<float>(first + k));
      column[i] = std::clamp(first + k, 0, w - 1);
    }
    for (int y = 0; y < h; ++y) {
      float sum = 0.f;
      for (std::size_t k = 0; k < 4; ++k) sum += taps[k] * src[index(y, column[k], w)];
      dst[index(y, x, w * factor)] = sum;
    }
  }
  return dst;
}

std::vector<float> transposed(std::span<const float> src, int h, int w) {
  std::vector<float> dst(src.size());
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x)
      dst[static_cast<std::size_t>(x) * static_cast<std::size_t>(h) + static_cast<std::size_t>(y)] =
          src[static_cast<std::size_t>(y) * static_cast<std::size_t>(w) +
              static_cast<std::size_t>(x)];
  return dst;
}

std::vector<float> enlarge_plane(std::span<const float> src, int h, int w, int factor,
                                 float (*kernel)(float)) {
  const auto wide = widen(src, h, w, factor, kernel);              // [h, w f]
  const auto turned = transposed(wide, h, w * factor);             // [w f, h]
  const auto tall = widen(turned, w * factor, h, factor, kernel);  // [w f, h f]
  auto result = transposed(tall, w * factor, h * factor);          // [h f, w f]
  for (float& v : result) v = std::clamp(v, 0.f, 1.f);
  return result;
}

}  // namespace

Image enlarge_bicubic(const Image& image, int factor) {
  if (factor < 1)
    fail(ErrorCode::bad_argument, "enlarge_bicubic: factor must be 1 or more, got {}", factor);
  const int h = image.height(), w = image.width();
  Image large(image.channels(), h * factor, w * factor);
  for (int c = 0; c < image.channels(); ++c) {
    const auto plane = enlarge_plane(image.plane(c), h, w, factor, cubic);
    std::copy(plane.begin(), plane.end(), large.plane(c).begin());
  }
  large.source = image.source;
  large.source.forget_samples();
  large.source.metadata = rescaled(image.source.metadata, factor);
  if (!image.source.alpha.empty())
    large.source.alpha = enlarge_plane(image.source.alpha, h, w, factor, linear);
  return large;
}

}  // namespace unmar
