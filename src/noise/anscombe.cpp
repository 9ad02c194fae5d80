#include "noise/anscombe.h"

#include <algorithm>
#include <cmath>

#include "base/fail.h"

namespace unmar {
namespace {

// Beyond so many photons the mean of the transform is known in closed form, to 1e-3 of a photon.
constexpr double kFewPhotons = 50, kStep = 0.02;

}  // namespace

Anscombe::Anscombe(double gain, double offset) : gain_(gain) {
  if (!(gain > 0))
    fail(ErrorCode::bad_argument, "anscombe: the gain must be above 0, got {}", gain);
  begin_ = offset < 0 ? -offset / gain : 0;
  read_variance_ = std::max(offset, 0.0) / (gain * gain);
  for (int i = 0; i * kStep <= std::sqrt(kFewPhotons); ++i)
    means_.push_back(mean_of(i * kStep * i * kStep));
}

double Anscombe::transformed(double photons) const {
  return 2 * std::sqrt(std::max(photons + 0.375 + read_variance_, 0.0));
}

double Anscombe::mean_of(double photons) const {
  // Read noise by the trapezoidal rule, shot noise count by count.
  constexpr int kNodes = 48;
  constexpr double kReach = 5;
  const double read = std::sqrt(read_variance_);
  const int nodes = read > 0 ? kNodes : 0;
  double weights = 0, sum = 0, probability = std::exp(-photons);
  const int most = static_cast<int>(photons + 12 * std::sqrt(photons) + 12);
  for (int count = 0; count <= most; ++count) {
    if (count > 0) probability *= photons / count;
    for (int i = 0; i <= nodes; ++i) {
      const double normal = nodes > 0 ? kReach * (2.0 * i / nodes - 1) : 0;
      const double weight = probability * std::exp(-normal * normal / 2);
      weights += weight;
      sum += weight * transformed(count + read * normal);
    }
  }
  return sum / weights;
}

double Anscombe::inverted(double mean) const {
  if (mean >= means_.back()) return std::max(kFewPhotons, mean * mean / 4 - 0.125 - read_variance_);
  const auto above = std::upper_bound(means_.begin(), means_.end(), mean);
  if (above == means_.begin()) return 0;
  const auto i = static_cast<double>(above - means_.begin() - 1);
  const double low = above[-1], high = *above;
  const double root = (i + (mean - low) / (high - low)) * kStep;
  return root * root;
}

void Anscombe::forward(std::span<float> values) const {
  for (float& v : values)
    v = static_cast<float>(transformed((static_cast<double>(v) - begin_) / gain_));
}

void Anscombe::inverse(std::span<float> values) const {
  for (float& v : values) v = static_cast<float>(begin_ + gain_ * inverted(static_cast<double>(v)));
}

}  // namespace unmar
