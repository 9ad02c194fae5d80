#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace unmar {

/// Counter-based random numbers (Philox4x32-10; Salmon et al., "Parallel Random Numbers:
/// As Easy as 1, 2, 3", SC 2011).
///
/// A stream is named by (seed, name); element i of a stream does not depend on how many threads
/// drew it, on the machine, or on other streams. So parameters and noise can be drawn by name, in
/// any order, and are the same in every engine.
class Random {
 public:
  Random(std::uint64_t seed, std::string_view name);

  void uniform(std::span<float> dst, float low, float high) const;  ///< [low, high)
  void normal(std::span<float> dst, float mean = 0.f, float sigma = 1.f) const;
  void bernoulli(std::span<float> dst, float probability) const;  ///< 1 with `probability`, else 0

 private:
  std::uint64_t key_;
};

}  // namespace unmar
