#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string_view>

#include "unmar/base/random.h"
#include "unmar/image/image.h"
#include "unmar/tensor/tensor.h"

/// Pictures to try things on, and comparisons of two.
namespace unmar::test {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

inline Tensor uniform(const Shape& shape, std::string_view name, std::uint64_t seed = 1) {
  Tensor t(shape);
  Random(seed, name).uniform(t.values(), 0.f, 1.f);
  return t;
}

/// The middle of a picture of samples/.
inline Image sample(const char* name, int side, bool gray = false) {
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
