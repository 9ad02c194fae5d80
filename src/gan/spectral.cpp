#include "gan/spectral.h"

#include <cmath>
#include <vector>

namespace unmar::gan {
namespace {

/// Makes its length 1; returns what it was.
double to_unit(std::vector<double>& x) {
  double square = 0;
  for (const double v : x) square += v * v;
  const double length = std::sqrt(square);
  if (length > 0)
    for (double& v : x) v /= length;
  return length;
}

}  // namespace

void divide_by_norm(Tensor& weights, Tensor& u, int rounds) {
  const auto rows = static_cast<std::size_t>(weights.shape().n);
  const std::size_t columns = weights.count() / rows;
  std::vector<double> left(u.values().begin(), u.values().end()), right(columns);
  double norm = 0;
  for (int round = 0; round < rounds; ++round) {
    right.assign(columns, 0.0);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c)
        right[c] += left[r] * double{weights.data()[r * columns + c]};
    if (!(to_unit(right) > 0)) return;
    for (std::size_t r = 0; r < rows; ++r) {
      left[r] = 0;
      for (std::size_t c = 0; c < columns; ++c)
        left[r] += double{weights.data()[r * columns + c]} * right[c];
    }
    norm = to_unit(left);
    if (!(norm > 0)) return;
  }
  for (std::size_t r = 0; r < rows; ++r) u.data()[r] = static_cast<float>(left[r]);
  for (float& w : weights.values()) w = static_cast<float>(double{w} / norm);
}

}  // namespace unmar::gan
