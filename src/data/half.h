#pragma once

#include <bit>
#include <cstdint>

namespace unmar::data {

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

/// To the nearest float16, halves to the even one; above 65504, infinity.
inline std::uint16_t to_float16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);  // NaN
  // 65520 is the middle of 65504, the largest, and what would follow.
  if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);
  if (magnitude < 0x38800000u) {
    // Subnormal, a multiple of 2^-24: adding 0.5 makes the float adder round to just that.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u));
  }
  const std::uint32_t odd = magnitude >> 13 & 1u;
  const std::uint32_t rounded = magnitude - (112u << 23) + 0xFFFu + odd;
  return static_cast<std::uint16_t>(sign | rounded >> 13);
}

}  // namespace unmar::data
