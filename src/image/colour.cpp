#include "unmar/image/image.h"

#include <algorithm>

namespace unmar {
namespace {

struct Weights {
  float r, g, b, offset;
};

Image weighted(const Image& image, const Weights& weights) {
  Image result(1, image.height(), image.width());
  result.source = image.source;
  result.source.forget_samples();
  const auto r = image.plane(0), g = image.plane(1), b = image.plane(2);
  const auto y = result.plane(0);
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = weights.r * r[i] + weights.g * g[i] + weights.b * b[i] + weights.offset;
  }
  return result;
}

Image mean_of_channels(const Image& image) {
  Image result(1, image.height(), image.width());
  result.source = image.source;
  result.source.forget_samples();
  const float share = 1.f / static_cast<float>(image.channels());
  for (int c = 0; c < image.channels(); ++c)
    for (std::size_t i = 0; i < result.count(); ++i)
      result.pixels()[i] += share * image.plane(c)[i];
  return result;
}

}  // namespace

Image to_colours(const Image& image) {
  if (image.channels() == 1 || image.channels() == 3) return image;
  Image result(image.channels() > 3 ? 3 : 1, image.height(), image.width());
  for (int c = 0; c < result.channels(); ++c)
    std::ranges::copy(image.plane(c), result.plane(c).begin());
  return result;
}

Image to_gray(const Image& image) {
  if (image.channels() == 1) return image;
  if (image.channels() != 3) return mean_of_channels(image);
  return weighted(image, {.r = 0.299f, .g = 0.587f, .b = 0.114f, .offset = 0.f});
}

Image luma(const Image& image) {
  if (image.channels() == 3) {
    return weighted(image, {.r = 65.481f / 255.f,
                            .g = 128.553f / 255.f,
                            .b = 24.966f / 255.f,
                            .offset = 16.f / 255.f});
  }
  Image result = image;
  for (float& value : result.pixels()) value = (219.f * value + 16.f) / 255.f;
  return result;
}

}  // namespace unmar
