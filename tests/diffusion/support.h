#pragma once

#include <cmath>
#include <string_view>

#include "unmar/base/random.h"
#include "unmar/tensor/tensor.h"

namespace unmar::diffusion_test {

/// One rounding of values below 2 to float.
inline constexpr double kFloatRounding = 2.4e-7;

inline Tensor uniform(const Shape& shape, std::string_view name, float low = -1.f,
                      float high = 1.f) {
  Tensor t(shape);
  Random(7, name).uniform(t.values(), low, high);
  return t;
}

inline Tensor scaled(Tensor t, double factor) {
  for (float& v : t.values()) v = static_cast<float>(factor * static_cast<double>(v));
  return t;
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return HUGE_VAL;
  double largest = 0;
  for (std::size_t i = 0; i < a.count(); ++i) {
    const double d = std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]));
    if (!(d <= largest)) largest = d;  // NaN counts
  }
  return largest;
}

inline double sum_of_magnitudes(const Tensor& t) {
  double sum = 0;
  for (const float v : t.values()) sum += std::abs(static_cast<double>(v));
  return sum;
}

}  // namespace unmar::diffusion_test
