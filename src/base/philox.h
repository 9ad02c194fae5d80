#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace unmar {

/// Philox4x32-10: four random 32-bit words from a 128-bit counter and a 64-bit key.
/// Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                           std::uint64_t key) {
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

/// [0, 1) with 24 bits.
inline float to_unit(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// Four numbers of N(0,1) from the words of one block. The logarithm takes 1 - u, which lies in
/// (0, 1]. In double: engines that work in float are compared with this.
inline std::array<float, 4> box_muller(const std::array<std::uint32_t, 4>& words) {
  const auto unit = [&](std::size_t i) { return static_cast<double>(to_unit(words[i])); };
  std::array<float, 4> values;
  for (std::size_t pair = 0; pair < 4; pair += 2) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(pair)));
    const double angle = 2.0 * std::numbers::pi * unit(pair + 1);
    values[pair] = static_cast<float>(radius * std::cos(angle));
    values[pair + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return values;
}

/// A 64-bit key for a named stream of a seed (FNV-1a, then a SplitMix64 finish).
template <class Text>
constexpr std::uint64_t stream_key(std::uint64_t seed, const Text& name) {
  std::uint64_t h = 0xCBF29CE484222325u ^ seed;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  h += seed * 0x9E3779B97F4A7C15u;
  h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9u;
  h = (h ^ (h >> 27)) * 0x94D049BB133111EBu;
  return h ^ (h >> 31);
}

}  // namespace unmar
