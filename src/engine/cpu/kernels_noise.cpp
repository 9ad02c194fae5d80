#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/kernels_noise.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include <numbers>

#include "engine/cpu/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {
namespace {

/// Philox4x32-10 of base/philox.h for several consecutive blocks; plain loops, which compilers turn
/// into vectors.
struct Words {
  HWY_ALIGN std::uint32_t w[4][kNoiseBlocks];
};
HWY_INLINE void philox_blocks(std::uint64_t first_block, std::uint64_t iteration, std::uint64_t key,
                              Words& words) {
  auto& w = words.w;
  for (std::size_t i = 0; i < kNoiseBlocks; ++i) {
    const std::uint64_t block = first_block + i;
    w[0][i] = static_cast<std::uint32_t>(block);
    w[1][i] = static_cast<std::uint32_t>(block >> 32);
    w[2][i] = static_cast<std::uint32_t>(iteration);
    w[3][i] = static_cast<std::uint32_t>(iteration >> 32);
  }
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < kNoiseBlocks; ++i) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * w[0][i];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * w[2][i];
      w[0][i] = static_cast<std::uint32_t>(p1 >> 32) ^ w[1][i] ^ k0;
      w[1][i] = static_cast<std::uint32_t>(p1);
      w[2][i] = static_cast<std::uint32_t>(p0 >> 32) ^ w[3][i] ^ k1;
      w[3][i] = static_cast<std::uint32_t>(p0);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

/// 24 bits as a float in [0, 1).
template <class D>
HWY_INLINE hn::Vec<D> unit(D d, const std::uint32_t* words) {
  const hn::RebindToSigned<D> di;
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::ShiftRight<8>(hn::LoadU(du, words));
  return hn::Mul(hn::ConvertTo(d, hn::BitCast(di, bits)), hn::Set(d, 0x1p-24f));
}

void gaussian_noise(std::uint64_t key, std::uint64_t iteration, std::uint64_t first_block,
                    float* dst) {
  Words words;
  philox_blocks(first_block, iteration, key, words);
  const hn::CappedTag<float, kNoiseBlocks> d;
  const auto one = hn::Set(d, 1.f);
  const auto turn = hn::Set(d, 2.f * std::numbers::pi_v<float>);
  for (std::size_t i = 0; i < kNoiseBlocks; i += hn::Lanes(d)) {
    hn::Vec<decltype(d)> value[4];
    for (int pair = 0; pair < 4; pair += 2) {  // Box-Muller; 1 - u lies in (0, 1]
      const auto log = hn::Log(d, hn::Sub(one, unit(d, words.w[pair] + i)));
      const auto radius = hn::Sqrt(hn::Max(hn::Zero(d), hn::Mul(hn::Set(d, -2.f), log)));
      const auto angle = hn::Mul(turn, unit(d, words.w[pair + 1] + i));
      value[pair] = hn::Mul(radius, hn::Cos(d, angle));
      value[pair + 1] = hn::Mul(radius, hn::Sin(d, angle));
    }
    hn::StoreInterleaved4(value[0], value[1], value[2], value[3], d, dst + 4 * i);
  }
}

void uniform_noise(std::uint64_t key, std::uint64_t iteration, std::uint64_t first_block,
                   float* dst) {
  Words words;
  philox_blocks(first_block, iteration, key, words);
  const hn::CappedTag<float, kNoiseBlocks> d;
  for (std::size_t i = 0; i < kNoiseBlocks; i += hn::Lanes(d))
    hn::StoreInterleaved4(unit(d, words.w[0] + i), unit(d, words.w[1] + i), unit(d, words.w[2] + i),
                          unit(d, words.w[3] + i), d, dst + 4 * i);
}

}  // namespace
}  // namespace unmar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::cpu {

HWY_EXPORT(gaussian_noise);
HWY_EXPORT(uniform_noise);

void gaussian_noise(std::uint64_t key, std::uint64_t iteration, std::uint64_t first_block,
                    float* dst) {
  HWY_DYNAMIC_DISPATCH(gaussian_noise)(key, iteration, first_block, dst);
}
void uniform_noise(std::uint64_t key, std::uint64_t iteration, std::uint64_t first_block,
                   float* dst) {
  HWY_DYNAMIC_DISPATCH(uniform_noise)(key, iteration, first_block, dst);
}

}  // namespace unmar::cpu
#endif
