#include "unmar/base/random.h"

#include <algorithm>

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
    const auto value = box_muller(words);
    for (std::size_t i = 0; i < n; ++i) dst[at + i] = mean + sigma * value[i];
  });
}

void Random::bernoulli(std::span<float> dst, float probability) const {
  for_blocks(key_, dst.size(), [&](std::size_t at, std::size_t n, const auto& words) {
    for (std::size_t i = 0; i < n; ++i) dst[at + i] = to_unit(words[i]) < probability ? 1.f : 0.f;
  });
}

}  // namespace unmar
