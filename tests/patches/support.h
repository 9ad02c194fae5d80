#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstdint>

#include "pictures.h"
#include "unmar/noise/noise.h"

namespace unmar::test {

/// Calls `check` once for each instruction set that this machine has and the filter is compiled
/// for.
template <class Check>
void on_every_instruction_set(const Check& check) {
  struct Restore {
    ~Restore() { choose(0); }
    static void choose(std::int64_t targets) {
      hwy::SetSupportedTargetsForTest(targets);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
  } restore;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    Restore::choose(target);
    check();
  }
}

/// t and independent noise.
inline Tensor noisy(Tensor t, double sigma, std::uint64_t seed = 1) {
  Tensor noise(t.shape());
  Random(seed, "noise").normal(noise.values(), 0.f, static_cast<float>(sigma));
  for (std::size_t i = 0; i < t.count(); ++i) t.data()[i] += noise.data()[i];
  return t;
}

/// Smooth, other in each channel, with an edge.
inline Tensor waves(const Shape& s) {
  Tensor t(s);
  for (int c = 0; c < s.c; ++c)
    for (int y = 0; y < s.h; ++y)
      for (int x = 0; x < s.w; ++x)
        t.at(0, c, y, x) =
            0.5f +
            0.2f * std::sin(0.5f * static_cast<float>(x + c) + 0.3f * static_cast<float>(y)) +
            (x > s.w / 2 ? 0.1f : -0.1f);
  return t;
}

inline NoiseModel white(double sigma) {
  NoiseModel model;
  model.sigma = sigma;
  return model;
}

inline double decibels(const Tensor& a, const Tensor& b) {
  return -10 * std::log10(mean_square(a, b));
}

/// NaN if one of them is.
inline double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.count(); ++i) {
    const double d = std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]));
    if (!(d <= largest)) largest = d;
  }
  return largest;
}

inline std::size_t not_finite(const Tensor& t) {
  std::size_t count = 0;
  for (const float v : t.values()) count += std::isfinite(v) ? 0 : 1;
  return count;
}

}  // namespace unmar::test
