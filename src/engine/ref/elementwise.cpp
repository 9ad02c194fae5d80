#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/philox.h"
#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double activate(const Activation& op, double x) {
  switch (op.kind) {
    case ActivationKind::relu:
      return std::max(x, 0.0);
    case ActivationKind::leaky_relu:
      return x > 0 ? x : op.slope * x;
    case ActivationKind::elu:
      return x > 0 ? x : op.slope * std::expm1(x);
    case ActivationKind::silu:
      return x * sigmoid(x);
    case ActivationKind::gelu:
      return x * normal_cdf(x);
    case ActivationKind::tanh:
      return std::tanh(x);
    case ActivationKind::sigmoid:
      return sigmoid(x);
  }
  return std::nan("");
}

/// At 0, where some of them have a kink, the side of the negative values, as PyTorch.
double slope_at(const Activation& op, double x) {
  const double s = sigmoid(x);
  const double t = std::tanh(x);
  switch (op.kind) {
    case ActivationKind::relu:
      return x > 0 ? 1.0 : 0.0;
    case ActivationKind::leaky_relu:
      return x > 0 ? 1.0 : double{op.slope};
    case ActivationKind::elu:
      return x > 0 ? 1.0 : op.slope * std::exp(x);
    case ActivationKind::silu:
      return s * (1 + x * (1 - s));
    case ActivationKind::gelu:
      return normal_cdf(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    case ActivationKind::tanh:
      return 1 - t * t;
    case ActivationKind::sigmoid:
      return s * (1 - s);
  }
  return std::nan("");
}

/// The number of an element in the streams of Jitter and Dropout: channels innermost.
std::uint64_t stream_index(const Shape& s, int n, int c, int y, int x) {
  const auto size = [](int i) { return static_cast<std::uint64_t>(i); };
  return ((size(n) * size(s.h) + size(y)) * size(s.w) + size(x)) * size(s.c) + size(c);
}

/// The Philox words of the block that has element i, in one iteration.
std::array<std::uint32_t, 4> draw_block(const Noise& noise, std::uint64_t i) {
  const std::uint64_t block = i / 4;
  const auto iteration = static_cast<std::uint64_t>(noise.iteration);
  return philox(
      {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
       static_cast<std::uint32_t>(iteration), static_cast<std::uint32_t>(iteration >> 32)},
      noise.key);
}

/// What Dropout multiplies element i with.
float dropout_factor(const Dropout& op, const Noise& noise, std::uint64_t i) {
  if (!noise.on) return 1.f;
  return to_unit(draw_block(noise, i)[i % 4]) < op.rate ? 0.f : 1.f / (1.f - op.rate);
}

}  // namespace

void forward(const Jitter& op, const Noise& noise, const Call& call) {
  const Tensor& src = *call.src[0];
  for_each(src.shape(), [&](int n, int c, int y, int x) {
    const std::uint64_t i = stream_index(src.shape(), n, c, y, x);
    const float add = noise.on ? op.sigma * box_muller(draw_block(noise, i))[i % 4] : 0.f;
    call.dst->at(n, c, y, x) = src.at(n, c, y, x) + add;
  });
}

void forward(const Dropout& op, const Noise& noise, const Call& call) {
  const Tensor& src = *call.src[0];
  for_each(src.shape(), [&](int n, int c, int y, int x) {
    const std::uint64_t i = stream_index(src.shape(), n, c, y, x);
    call.dst->at(n, c, y, x) = src.at(n, c, y, x) * dropout_factor(op, noise, i);
  });
}

void backward(const Dropout& op, const Noise& noise, const Call& call) {
  const Shape& s = call.src[0]->shape();
  for_each(s, [&](int n, int c, int y, int x) {
    call.d_src[0]->at(n, c, y, x) +=
        call.d_dst->at(n, c, y, x) * double{dropout_factor(op, noise, stream_index(s, n, c, y, x))};
  });
}

void backward(const Jitter&, const Call& call) {
  for (std::size_t i = 0; i < call.d_dst->count(); ++i) (*call.d_src[0])[i] += (*call.d_dst)[i];
}

void forward(const Activation& op, const Call& call) {
  for (std::size_t i = 0; i < call.dst->count(); ++i)
    call.dst->values()[i] = static_cast<float>(activate(op, call.src[0]->values()[i]));
}

void backward(const Activation& op, const Call& call) {
  for (std::size_t i = 0; i < call.dst->count(); ++i)
    (*call.d_src[0])[i] += (*call.d_dst)[i] * slope_at(op, call.src[0]->values()[i]);
}

/// The gradient of a learned tensor is that of its one parameter.
void forward(const Learned&, const Call& call) { *call.dst = *call.params[0]; }

void backward(const Learned&, const Call& call) {
  if (!call.d_params[0]) return;
  for (std::size_t i = 0; i < call.d_dst->count(); ++i) (*call.d_params[0])[i] += (*call.d_dst)[i];
}

void forward(const Add&, const Call& call) {
  const Tensor& a = *call.src[0];
  const Tensor& b = *call.src[1];
  const bool one_pixel = b.shape() != a.shape();
  for_each(a.shape(), [&](int n, int c, int y, int x) {
    call.dst->at(n, c, y, x) = a.at(n, c, y, x) + b.at(n, c, one_pixel ? 0 : y, one_pixel ? 0 : x);
  });
}

void backward(const Add&, const Call& call) {
  const bool one_pixel = call.src[1]->shape() != call.src[0]->shape();
  for_each(call.src[0]->shape(), [&](int n, int c, int y, int x) {
    const double g = call.d_dst->at(n, c, y, x);
    if (call.d_src[0]) call.d_src[0]->at(n, c, y, x) += g;
    if (call.d_src[1]) call.d_src[1]->at(n, c, one_pixel ? 0 : y, one_pixel ? 0 : x) += g;
  });
}

void forward(const Multiply&, const Call& call) {
  const Tensor& a = *call.src[0];
  const Tensor& b = *call.src[1];
  for_each(a.shape(), [&](int n, int c, int y, int x) {
    const int c_of_b = b.shape().c == 1 ? 0 : c;
    call.dst->at(n, c, y, x) = a.at(n, c, y, x) * b.at(n, c_of_b, y, x);
  });
}

void backward(const Multiply&, const Call& call) {
  const Tensor& a = *call.src[0];
  const Tensor& b = *call.src[1];
  for_each(a.shape(), [&](int n, int c, int y, int x) {
    const int c_of_b = b.shape().c == 1 ? 0 : c;
    const double g = call.d_dst->at(n, c, y, x);
    if (call.d_src[0]) call.d_src[0]->at(n, c, y, x) += g * b.at(n, c_of_b, y, x);
    if (call.d_src[1]) call.d_src[1]->at(n, c_of_b, y, x) += g * a.at(n, c, y, x);
  });
}

}  // namespace unmar::ref
