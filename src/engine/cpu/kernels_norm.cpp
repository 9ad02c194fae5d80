#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/kernels_norm.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include "engine/cpu/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {
namespace {

// The sums keep one group of channels in registers and walk down the pixels; callers hand over a
// few hundred pixels at a time, so float sums lose nothing that matters and the pixels stay in
// cache.

void channel_moments(const float* src, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c,
                     const float* base, float* sum, float* square) {
  for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
    const auto b = hn::LoadU(d, base + i);
    auto s = hn::Zero(d);
    auto q = hn::Zero(d);
    for (std::ptrdiff_t p = 0; p < pixels; ++p) {
      const auto x = hn::Sub(hn::LoadU(d, src + p * ld + i), b);
      s = hn::Add(s, x);
      q = hn::MulAdd(x, x, q);
    }
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), s), d, sum + i);
    hn::StoreU(hn::Add(hn::LoadU(d, square + i), q), d, square + i);
  });
}

void norm_act(const Act& act, const float* src, std::ptrdiff_t src_ld, float* dst,
              std::ptrdiff_t dst_ld, std::ptrdiff_t pixels, int c, const float* scale,
              const float* shift) {
  with_act(act, [&](auto op) HWY_ATTR {
    for (std::ptrdiff_t p = 0; p < pixels; ++p) {
      const float* from = src + p * src_ld;
      float* to = dst + p * dst_ld;
      for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
        const auto z =
            hn::MulAdd(hn::LoadU(d, from + i), hn::LoadU(d, scale + i), hn::LoadU(d, shift + i));
        hn::StoreU(op.value(d, z), d, to + i);
      });
    }
  });
}

void norm_act_backward_sums(const Act& act, const float* src, std::ptrdiff_t src_ld,
                            const float* d_dst, std::ptrdiff_t d_dst_ld, std::ptrdiff_t pixels,
                            int c, const float* scale, const float* shift, const float* mean,
                            float* sum, float* dot) {
  with_act(act, [&](auto op) HWY_ATTR {
    for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
      const auto a = hn::LoadU(d, scale + i);
      const auto b = hn::LoadU(d, shift + i);
      const auto m = hn::LoadU(d, mean + i);
      auto s = hn::Zero(d);
      auto t = hn::Zero(d);
      for (std::ptrdiff_t p = 0; p < pixels; ++p) {
        const auto x = hn::LoadU(d, src + p * src_ld + i);
        const auto dz =
            hn::Mul(hn::LoadU(d, d_dst + p * d_dst_ld + i), op.derivative(d, hn::MulAdd(x, a, b)));
        s = hn::Add(s, dz);
        t = hn::MulAdd(dz, hn::Sub(x, m), t);
      }
      hn::StoreU(hn::Add(hn::LoadU(d, sum + i), s), d, sum + i);
      hn::StoreU(hn::Add(hn::LoadU(d, dot + i), t), d, dot + i);
    });
  });
}

void norm_act_backward(const Act& act, const float* src, std::ptrdiff_t src_ld, const float* d_dst,
                       std::ptrdiff_t d_dst_ld, float* d_src, std::ptrdiff_t d_src_ld,
                       std::ptrdiff_t pixels, int c, const float* scale, const float* shift,
                       const float* slope, const float* offset, bool accumulate) {
  with_act(act, [&](auto op) HWY_ATTR {
    for (std::ptrdiff_t p = 0; p < pixels; ++p) {
      const float* from = src + p * src_ld;
      const float* grad = d_dst + p * d_dst_ld;
      float* to = d_src + p * d_src_ld;
      for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
        const auto x = hn::LoadU(d, from + i);
        const auto a = hn::LoadU(d, scale + i);
        const auto z = hn::MulAdd(x, a, hn::LoadU(d, shift + i));
        const auto dz = hn::Mul(hn::LoadU(d, grad + i), op.derivative(d, z));
        auto dx =
            hn::MulAdd(a, dz, hn::MulAdd(hn::LoadU(d, slope + i), x, hn::LoadU(d, offset + i)));
        if (accumulate) dx = hn::Add(dx, hn::LoadU(d, to + i));
        hn::StoreU(dx, d, to + i);
      });
    }
  });
}

}  // namespace
}  // namespace unmar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::cpu {

HWY_EXPORT(channel_moments);
HWY_EXPORT(norm_act);
HWY_EXPORT(norm_act_backward_sums);
HWY_EXPORT(norm_act_backward);

void channel_moments(const float* src, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c,
                     const float* base, float* sum, float* square) {
  HWY_DYNAMIC_DISPATCH(channel_moments)(src, ld, pixels, c, base, sum, square);
}
void norm_act(const Act& act, const float* src, std::ptrdiff_t src_ld, float* dst,
              std::ptrdiff_t dst_ld, std::ptrdiff_t pixels, int c, const float* scale,
              const float* shift) {
  HWY_DYNAMIC_DISPATCH(norm_act)(act, src, src_ld, dst, dst_ld, pixels, c, scale, shift);
}
void norm_act_backward_sums(const Act& act, const float* src, std::ptrdiff_t src_ld,
                            const float* d_dst, std::ptrdiff_t d_dst_ld, std::ptrdiff_t pixels,
                            int c, const float* scale, const float* shift, const float* mean,
                            float* sum, float* dot) {
  HWY_DYNAMIC_DISPATCH(norm_act_backward_sums)
  (act, src, src_ld, d_dst, d_dst_ld, pixels, c, scale, shift, mean, sum, dot);
}
void norm_act_backward(const Act& act, const float* src, std::ptrdiff_t src_ld, const float* d_dst,
                       std::ptrdiff_t d_dst_ld, float* d_src, std::ptrdiff_t d_src_ld,
                       std::ptrdiff_t pixels, int c, const float* scale, const float* shift,
                       const float* slope, const float* offset, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(norm_act_backward)
  (act, src, src_ld, d_dst, d_dst_ld, d_src, d_src_ld, pixels, c, scale, shift, slope, offset,
   accumulate);
}

}  // namespace unmar::cpu
#endif
