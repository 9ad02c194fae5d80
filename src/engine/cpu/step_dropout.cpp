#include <algorithm>

#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

/// The mask is drawn again for backward, not kept.
class DropoutStep : public Step {
 public:
  DropoutStep(float rate, std::uint64_t key, const UnaryPlaces& places)
      : p_(places), rate_(rate), key_(key) {}

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer}, {}};
    if (p_.d_src) u.backward = {p_.d_dst.buffer, p_.d_src.place.buffer};
    return u;
  }
  void forward(const Pass& pass) override { apply(pass, p_.src.view(), p_.dst.view(), false); }
  void backward(const Pass& pass) override {
    if (p_.d_src) apply(pass, p_.d_dst.view(), p_.d_src.place.view(), p_.d_src.accumulate);
  }

 private:
  static constexpr std::size_t kRun = 4 * kNoiseBlocks, kRunsPerChunk = 256;

  void apply(const Pass& pass, const View& src, const View& dst, bool accumulate) const {
    const std::size_t count = p_.src.shape.count(), step = kRun * kRunsPerChunk;
    pass.pool->run(static_cast<int>((count + step - 1) / step), [&](int chunk, int) {
      const std::size_t begin = static_cast<std::size_t>(chunk) * step;
      const std::size_t end = std::min(count, begin + step);
      for (std::size_t i = begin; i < end; i += kRun) {
        float factor[kRun];
        find_factors(pass, i, factor);
        for (std::size_t k = 0; k < std::min(kRun, end - i); ++k) {
          const float value = element(src, i + k) * factor[k];
          float& to = element(dst, i + k);
          to = accumulate ? to + value : value;
        }
      }
    });
  }

  void find_factors(const Pass& pass, std::size_t first, float* factor) const {
    if (!pass.jitter) return void(std::fill_n(factor, kRun, 1.f));
    uniform_noise(key_, static_cast<std::uint64_t>(pass.iteration), first / 4, factor);
    const float kept = 1.f / (1.f - rate_);
    for (std::size_t k = 0; k < kRun; ++k) factor[k] = factor[k] < rate_ ? 0.f : kept;
  }

  static float& element(const View& v, std::size_t i) {
    const auto c = static_cast<std::size_t>(v.c);
    return v.dense() ? v.data[i] : v.pixel(static_cast<std::ptrdiff_t>(i / c))[i % c];
  }

  UnaryPlaces p_;
  float rate_;
  std::uint64_t key_;
};

}  // namespace

std::unique_ptr<Step> make_dropout(float rate, std::uint64_t key, const UnaryPlaces& places) {
  return std::make_unique<DropoutStep>(rate, key, places);
}

}  // namespace unmar::cpu
