#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <span>
#include <stdexcept>

namespace unmar::diffusion_test {

/// The numbers of PyTorch's randn() on the CPU, for multiples of 16: Mersenne Twister, 24-bit
/// uniforms, and Box-Muller over blocks of 16 whose first half makes the radii, the second the
/// angles.
class TorchRandn {
 public:
  explicit TorchRandn(std::uint32_t seed) : engine_(seed) {}

  void operator()(std::span<float> dst) {
    if (dst.empty() || dst.size() % 16 != 0) throw std::invalid_argument("not a multiple of 16");
    for (float& value : dst) value = static_cast<float>(engine_() & 0xFFFFFFu) * 0x1p-24f;
    for (std::size_t block = 0; block < dst.size(); block += 16)
      for (std::size_t i = block; i < block + 8; ++i) {
        const float radius = std::sqrt(-2.f * std::log(1.f - dst[i]));
        const float angle = 2.f * std::numbers::pi_v<float> * dst[i + 8];
        dst[i] = radius * std::cos(angle);
        dst[i + 8] = radius * std::sin(angle);
      }
  }

 private:
  std::mt19937 engine_;
};

}  // namespace unmar::diffusion_test
