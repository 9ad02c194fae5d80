#include "models/blocks.h"

#include <numeric>

#include "base/fail.h"

namespace unmar {

NodeId Blocks::conv(NodeId x, int channels, int kernel, int stride, const std::string& name) {
  return g_.add(Conv2d{channels, kernel, stride, style_.border, style_.bias}, {x}, name + ".conv");
}

NodeId Blocks::norm(NodeId x, const std::string& name) {
  switch (style_.norm) {
    case NetworkNorm::batch:
      return g_.add(Norm{NormKind::batch}, {x}, name + ".norm");
    case NetworkNorm::instance:
      return g_.add(Norm{NormKind::instance}, {x}, name + ".norm");
    case NetworkNorm::group:
      return g_.add(Norm{NormKind::group, std::gcd(channels(x), 8)}, {x}, name + ".norm");
    case NetworkNorm::none:
      break;
  }
  return x;
}

NodeId Blocks::activate(NodeId x, const std::string& name) {
  const auto act = [&](ActivationKind kind, float slope = 0.f) {
    return g_.add(Activation{kind, slope}, {x}, name + ".act");
  };
  switch (style_.activation) {
    case NetworkActivation::relu:
      return act(ActivationKind::relu);
    case NetworkActivation::leaky_relu:
      return act(ActivationKind::leaky_relu, 0.2f);
    case NetworkActivation::elu:
      return act(ActivationKind::elu, 1.f);
    case NetworkActivation::silu:
      return act(ActivationKind::silu);
    case NetworkActivation::gelu:
      return act(ActivationKind::gelu);
    case NetworkActivation::tanh:
      return act(ActivationKind::tanh);
    case NetworkActivation::sigmoid:
      return act(ActivationKind::sigmoid);
    case NetworkActivation::none:
      break;
  }
  return x;
}

NodeId Blocks::block(NodeId x, int channels, int kernel, int stride, const std::string& name) {
  return activate(norm(conv(x, channels, kernel, stride, name), name), name);
}

NodeId Blocks::downsample(NodeId x, DownsampleMode mode, const std::string& name) {
  const Shape& s = g_.shape(x);
  const std::string node = name + ".downsample";
  const int h = (s.h + 1) / 2, w = (s.w + 1) / 2;
  switch (mode) {
    case DownsampleMode::stride:
      return x;
    case DownsampleMode::max:
      return g_.add(MaxPool{2}, {x}, node);
    case DownsampleMode::average:
      return g_.add(Linear::average_pool(s, 2), {x}, node);
    case DownsampleMode::area:
      return g_.add(Linear::resize(s, ResizeKind::area, h, w), {x}, node);
    case DownsampleMode::bilinear:
      return g_.add(Linear::resize(s, ResizeKind::bilinear, h, w), {x}, node);
    case DownsampleMode::lanczos2:
      return g_.add(Linear::reduce(s, ReduceKernel::lanczos2, 2), {x}, node);
    case DownsampleMode::lanczos3:
      return g_.add(Linear::reduce(s, ReduceKernel::lanczos3, 2), {x}, node);
  }
  return x;
}

NodeId Blocks::upsample(NodeId x, UpsampleMode mode, int channels, const std::string& name) {
  const Shape s = g_.shape(x);
  const std::string node = name + ".upsample";
  switch (mode) {
    case UpsampleMode::transposed:
      return g_.add(ConvTranspose2d{channels, 2}, {x}, node);
    case UpsampleMode::pixel_shuffle:
      x = g_.add(Conv2d{channels * 4, 3, 1, Border::zero, true, 2}, {x}, node + ".conv");
      return g_.add(PixelShuffle{2}, {x}, node);
    default:
      return resize(x, mode, s.h * 2, s.w * 2, name);
  }
}

NodeId Blocks::resize(NodeId x, UpsampleMode mode, int h, int w, const std::string& name) {
  const Shape& s = g_.shape(x);
  const std::string node = name + ".upsample";
  switch (mode) {
    case UpsampleMode::nearest:
      return g_.add(Linear::resize(s, ResizeKind::nearest, h, w), {x}, node);
    case UpsampleMode::bilinear:
      return g_.add(Linear::resize(s, ResizeKind::bilinear, h, w, style_.align_corners), {x}, node);
    case UpsampleMode::bicubic:
      return g_.add(Linear::resize(s, ResizeKind::bicubic, h, w), {x}, node);
    case UpsampleMode::transposed:
    case UpsampleMode::pixel_shuffle:
      break;
  }
  fail(ErrorCode::bad_argument,
       "{}: only nearest, bilinear and bicubic up-sampling reach any size; take one of them", name);
}

NodeId Blocks::match_size(NodeId x, const Shape& shape, const std::string& name) {
  Shape s = g_.shape(x);
  if (s.h > shape.h || s.w > shape.w) {
    s.h = std::min(s.h, shape.h);
    s.w = std::min(s.w, shape.w);
    x = g_.add(Linear::center_crop(g_.shape(x), s.h, s.w), {x}, name + ".crop");
  }
  if (s.h < shape.h || s.w < shape.w)
    x = g_.add(Linear::pad(s, shape.h, shape.w), {x}, name + ".pad");
  return x;
}

NodeId Blocks::add(NodeId a, NodeId b, const std::string& name) {
  if (channels(a) != channels(b)) a = conv(a, channels(b), 1, 1, name + ".project");
  return g_.add(Add{}, {a, b}, name + ".add");
}

NodeId Blocks::head(NodeId x, int channels, int kernel, bool sigmoid, bool bias) {
  x = g_.add(Conv2d{channels, kernel, 1, style_.border, bias}, {x}, "head.conv");
  return sigmoid ? g_.add(Activation{ActivationKind::sigmoid}, {x}, "head.sigmoid") : x;
}

bool learns(UpsampleMode mode) {
  return mode == UpsampleMode::transposed || mode == UpsampleMode::pixel_shuffle;
}

void require_at_least(int value, int least, const char* network, const char* what) {
  if (value < least)
    fail(ErrorCode::bad_argument, "{} network: '{}' must be at least {}, got {}", network, what,
         least, value);
}

}  // namespace unmar
