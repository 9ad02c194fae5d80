#include "fit/noise_variance.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace unmar {
namespace {

/// Mean of (clip(x + n, 0, 1) - x)^2 for n of N(0, sigma^2) and x in [0,1].
double clipped_variance(double x, double sigma) {
  const auto density = [](double t) {
    return std::exp(-t * t / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  };
  const auto below = [](double t) { return std::erfc(-t / std::numbers::sqrt2) / 2; };
  const double low = -x / sigma, high = (1 - x) / sigma;
  const double inside = below(high) - below(low) - (high * density(high) - low * density(low));
  return sigma * sigma * inside + x * x * below(low) + (1 - x) * (1 - x) * below(-high);
}

}  // namespace

NoiseVariance::NoiseVariance(const Tensor& y, double sigma) {
  constexpr std::size_t kSteps = 1024;
  table_.assign(kSteps + 1, sigma * sigma);
  const bool clipped = std::all_of(y.values().begin(), y.values().end(),
                                   [](float v) { return !(v < 0.f || v > 1.f); });
  if (clipped && sigma > 0)
    for (std::size_t i = 0; i <= kSteps; ++i)
      table_[i] = clipped_variance(static_cast<double>(i) / kSteps, sigma);
}

double NoiseVariance::at(float x) const {
  const double place = x > 0.f ? std::min(static_cast<double>(x), 1.0) : 0.0;
  return table_[static_cast<std::size_t>(place * static_cast<double>(table_.size() - 1))];
}

}  // namespace unmar
