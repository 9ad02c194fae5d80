#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string_view>

#include "unmar/image.h"
#include "unmar/noise.h"
#include "unmar/random.h"
#include "unmar/tensor.h"

namespace unmar::test {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

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

inline Tensor uniform(const Shape& shape, std::string_view name, std::uint64_t seed = 1) {
  Tensor t(shape);
  Random(seed, name).uniform(t.values(), 0.f, 1.f);
  return t;
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

/// The middle of a picture of samples/.
inline Image sample(const char* name, int side, bool gray) {
  const auto folder = std::filesystem::path(UNMAR_FIXTURES) / "../../samples";
  const Image image = read_image(folder / name);
  const Image part =
      crop(image, (image.height() - side) / 2, (image.width() - side) / 2, side, side);
  return gray ? to_gray(part) : part;
}

inline double mean_square(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    sum += std::pow(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]), 2);
  return sum / static_cast<double>(a.count());
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

/// How many values have other bits; all of them if the shapes differ.
inline std::size_t other_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return a.count() + 1;
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    if (std::bit_cast<std::uint32_t>(a.data()[i]) != std::bit_cast<std::uint32_t>(b.data()[i]))
      ++count;
  return count;
}

}  // namespace unmar::test
