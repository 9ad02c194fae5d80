#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "unmar/tensor/tensor.h"

namespace unmar {

inline std::span<const float> plane_of(const Tensor& t, int c) {
  const auto size = static_cast<std::size_t>(t.shape().h) * static_cast<std::size_t>(t.shape().w);
  return t.values().subspan(static_cast<std::size_t>(c) * size, size);
}

/// From one patch to the next, so that a picture has not many more than 60,000: enough for a
/// spectrum.
inline int patch_step(const Shape& s) {
  constexpr double kMostPatches = 60'000;
  return std::max(1, static_cast<int>(std::sqrt(static_cast<double>(s.h) * s.w / kMostPatches)));
}

}  // namespace unmar
