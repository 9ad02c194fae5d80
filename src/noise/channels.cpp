#include "noise/channels.h"

#include <cmath>
#include <numbers>
#include <vector>

namespace unmar {
namespace {

/// m[o * count + i]: how much of channel i is in o.
std::vector<double> cosine_matrix(int count) {
  std::vector<double> m;
  for (int o = 0; o < count; ++o)
    for (int i = 0; i < count; ++i)
      m.push_back(std::sqrt((o == 0 ? 1.0 : 2.0) / count) *
                  std::cos(std::numbers::pi * o * (i + 0.5) / count));
  return m;
}

Tensor turned(const Tensor& t, const std::vector<double>& matrix) {
  const Shape& s = t.shape();
  Tensor result(s);
  const auto channels = static_cast<std::size_t>(s.c);
  const std::size_t plane = t.count() / channels;
  for (std::size_t o = 0; o < channels; ++o)
    for (std::size_t i = 0; i < channels; ++i) {
      const auto weight = static_cast<float>(matrix[o * channels + i]);
      const float* from = t.data() + i * plane;
      float* to = result.data() + o * plane;
      for (std::size_t p = 0; p < plane; ++p) to[p] += weight * from[p];
    }
  return result;
}

}  // namespace

Tensor to_opponent(const Tensor& t) { return turned(t, cosine_matrix(t.shape().c)); }

Tensor from_opponent(const Tensor& t) {
  const std::vector<double> m = cosine_matrix(t.shape().c);
  std::vector<double> transposed = m;
  const auto channels = static_cast<std::size_t>(t.shape().c);
  for (std::size_t o = 0; o < channels; ++o)
    for (std::size_t i = 0; i < channels; ++i) transposed[i * channels + o] = m[o * channels + i];
  return turned(t, transposed);
}

}  // namespace unmar
