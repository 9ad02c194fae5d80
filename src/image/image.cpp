#include "unmar/image/image.h"

#include <algorithm>

#include "base/fail.h"

namespace unmar {

Image::Image(int channels, int height, int width, float value)
    : channels_(channels), height_(height), width_(width) {
  if (channels < 1 || height < 1 || width < 1) {
    fail(ErrorCode::bad_argument,
         "Image: channels and sides must be at least 1, got {} channels of {}x{} px", channels,
         width, height);
  }
  pixels_.assign(static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
                     static_cast<std::size_t>(width),
                 value);
}

bool Image::same_size(const Image& other) const {
  return channels_ == other.channels_ && height_ == other.height_ && width_ == other.width_;
}

std::span<float> Image::plane(int channel) {
  const std::size_t size = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_);
  return pixels().subspan(static_cast<std::size_t>(channel) * size, size);
}

std::span<const float> Image::plane(int channel) const {
  const std::size_t size = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_);
  return pixels().subspan(static_cast<std::size_t>(channel) * size, size);
}

float& Image::at(int channel, int y, int x) {
  const auto row = static_cast<std::size_t>(channel) * static_cast<std::size_t>(height_) +
                   static_cast<std::size_t>(y);
  return pixels_[row * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x)];
}

float Image::at(int channel, int y, int x) const {
  const auto row = static_cast<std::size_t>(channel) * static_cast<std::size_t>(height_) +
                   static_cast<std::size_t>(y);
  return pixels_[row * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x)];
}

ImageFacts facts_of(const Image& image) {
  ImageFacts facts{image.channels(), image.height(), image.width(), image.source};
  facts.source.alpha.clear();
  facts.source.forget_samples();
  return facts;
}

Image crop(const Image& image, int y0, int x0, int height, int width) {
  // Subtractions, as y0 + height could overflow.
  if (y0 < 0 || x0 < 0 || height < 1 || width < 1 || y0 > image.height() - height ||
      x0 > image.width() - width) {
    fail(ErrorCode::bad_argument, "crop: {}x{} px at ({}, {}) is not inside a picture of {}x{} px",
         width, height, x0, y0, image.width(), image.height());
  }
  Image result(image.channels(), height, width);
  result.source = image.source;
  // `from` and `to` hold one plane or several.
  const auto copy_rows = [&](const auto& from, auto& to) {
    const auto planes = static_cast<int>(from.size() / image.plane(0).size());
    for (int p = 0; p < planes; ++p)
      for (int y = 0; y < height; ++y) {
        const auto row = (static_cast<std::ptrdiff_t>(p) * image.height() + y0 + y) * image.width();
        std::copy_n(from.begin() + row + x0, width,
                    to.begin() + (static_cast<std::ptrdiff_t>(p) * height + y) * width);
      }
  };
  const auto cropped = [&]<class T>(const std::shared_ptr<const std::vector<T>>& values) {
    if (!values || values->size() != image.count()) return std::shared_ptr<const std::vector<T>>();
    std::vector<T> part(result.count());
    copy_rows(*values, part);
    return std::make_shared<const std::vector<T>>(std::move(part));
  };
  const auto pixels = result.pixels();
  copy_rows(image.pixels(), pixels);
  result.source.use = cropped(image.source.use);
  result.source.stored = cropped(image.source.stored);
  if (image.source.alpha.size() == image.plane(0).size()) {
    result.source.alpha.resize(result.plane(0).size());
    copy_rows(image.source.alpha, result.source.alpha);
  }
  return result;
}

Image clamped(const Image& image, float low, float high) {
  Image result = image;
  for (float& value : result.pixels()) value = std::clamp(value, low, high);
  return result;
}

}  // namespace unmar
