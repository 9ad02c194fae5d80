#include "unmar/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/philox.h"

namespace unmar {
namespace {

/// Calls body(block, words) for the blocks of four that cover `count` elements.
template <class Body>
void for_blocks(std::uint64_t key, std::size_t count, Body body) {
  for (std::size_t block = 0; block * 4 < count; ++block) {
    body(block * 4, std::min<std::size_t>(4, count - block * 4),
         philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0},
                key));
  }
}

}  // namespace

Random::Random(std::uint64_t seed, std::string_view name) : key_(stream_key(seed, name)) {}

void Random::uniform(std::span<float> dst, float low, float high) const {
  for_blocks(key_, dst.size(), [&](std::size_t at, std::size_t n, const auto& words) {
    for (std::size_t i = 0; i < n; ++i) dst[at + i] = low + (high - low) * to_unit(words[i]);
  });
}

void Random::normal(std::span<float> dst, float mean, float sigma) const {
  for_blocks(key_, dst.size(), [&](std::size_t at, std::size_t n, const auto& words) {
    float value[4];
    for (int pair = 0; pair < 4; pair += 2) {  // Box-Muller; 1 - u lies in (0, 1]
      const double radius = std::sqrt(
          -2.0 *
          std::log(1.0 - static_cast<double>(to_unit(words[static_cast<std::size_t>(pair)]))));
      const double angle = 2.0 * std::numbers::pi *
                           static_cast<double>(to_unit(words[static_cast<std::size_t>(pair) + 1]));
      value[pair] = static_cast<float>(radius * std::cos(angle));
      value[pair + 1] = static_cast<float>(radius * std::sin(angle));
    }
    for (std::size_t i = 0; i < n; ++i) dst[at + i] = mean + sigma * value[i];
  });
}

void Random::bernoulli(std::span<float> dst, float probability) const {
  for_blocks(key_, dst.size(), [&](std::size_t at, std::size_t n, const auto& words) {
    for (std::size_t i = 0; i < n; ++i) dst[at + i] = to_unit(words[i]) < probability ? 1.f : 0.f;
  });
}

}  // namespace unmar
