#pragma once

#include <bit>
#include <cstdint>

namespace unmar::diffusion {

/// The upper half of a float.
inline float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

/// IEEE 754 binary16: 5 bits of exponent, 10 of mantissa. Exact.
inline float from_float16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t rest = bits & 0x7FFFu;
  if (rest >= 0x7C00u)  // infinity, NaN
    return std::bit_cast<float>(sign | 0x7F800000u | (rest & 0x3FFu) << 13);
  // As a float, the bits mean the value times 2^-112, subnormal ones included.
  const float magnitude = std::bit_cast<float>(rest << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

}  // namespace unmar::diffusion
