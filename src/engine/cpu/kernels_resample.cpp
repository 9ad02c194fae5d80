#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/kernels_resample.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include "engine/cpu/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {
namespace {

void combine_rows(const float* const* rows, const float* weight, int taps, std::size_t count,
                  float* dst) {
  for_lanes(count, [&](auto d, std::size_t i) HWY_ATTR {
    auto sum = hn::Zero(d);
    for (int k = 0; k < taps; ++k)
      sum = hn::MulAdd(hn::Set(d, weight[k]), hn::LoadU(d, rows[k] + i), sum);
    hn::StoreU(sum, d, dst + i);
  });
}

void combine_mapped_rows(const float* const* rows, std::ptrdiff_t ld, const float* weight, int taps,
                         const PixelMap& map, std::ptrdiff_t pixels, int c, float* dst) {
  with_cheap_act(map.act, [&](auto act) HWY_ATTR {
    for (std::ptrdiff_t p = 0; p < pixels; ++p)
      for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
        const auto scale = hn::LoadU(d, map.scale + i), shift = hn::LoadU(d, map.shift + i);
        auto sum = hn::Zero(d);
        for (int k = 0; k < taps; ++k) {
          const auto x = hn::MulAdd(hn::LoadU(d, rows[k] + p * ld + i), scale, shift);
          sum = hn::MulAdd(hn::Set(d, weight[k]), act.value(d, x), sum);
        }
        hn::StoreU(sum, d, dst + p * c + i);
      });
  });
}

void combine_many(const float* const* src, const float* weight, int taps, std::size_t count,
                  float* dst, bool accumulate) {
  const hn::ScalableTag<float> full;
  const std::size_t lanes = hn::Lanes(full);
  std::size_t begin = 0;
  // Four vectors at a time, which share each weight.
  for (; begin + 4 * lanes <= count; begin += 4 * lanes) {
    float* to = dst + begin;
    const auto start = [&](std::size_t i) HWY_ATTR {
      return accumulate ? hn::LoadU(full, to + i * lanes) : hn::Zero(full);
    };
    auto a = start(0), b = start(1), c = start(2), d = start(3);
    for (int k = 0; k < taps; ++k) {
      const auto w = hn::Set(full, weight[k]);
      const float* from = src[k] + begin;
      a = hn::MulAdd(w, hn::LoadU(full, from), a);
      b = hn::MulAdd(w, hn::LoadU(full, from + lanes), b);
      c = hn::MulAdd(w, hn::LoadU(full, from + 2 * lanes), c);
      d = hn::MulAdd(w, hn::LoadU(full, from + 3 * lanes), d);
    }
    hn::StoreU(a, full, to);
    hn::StoreU(b, full, to + lanes);
    hn::StoreU(c, full, to + 2 * lanes);
    hn::StoreU(d, full, to + 3 * lanes);
  }
  for_lanes(count - begin, [&](auto d, std::size_t rest) HWY_ATTR {
    const std::size_t i = begin + rest;
    auto sum = accumulate ? hn::LoadU(d, dst + i) : hn::Zero(d);
    for (int k = 0; k < taps; ++k)
      sum = hn::MulAdd(hn::Set(d, weight[k]), hn::LoadU(d, src[k] + i), sum);
    hn::StoreU(sum, d, dst + i);
  });
}

void combine_pixels(const float* src, std::ptrdiff_t src_ld, const int* begin, const int* index,
                    const float* weight, int pixels, int c, float* dst, std::ptrdiff_t dst_ld,
                    bool accumulate) {
  for (int p = 0; p < pixels; ++p, dst += dst_ld)
    for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
      auto sum = accumulate ? hn::LoadU(d, dst + i) : hn::Zero(d);
      for (int k = begin[p]; k < begin[p + 1]; ++k)
        sum = hn::MulAdd(hn::Set(d, weight[k]), hn::LoadU(d, src + index[k] * src_ld + i), sum);
      hn::StoreU(sum, d, dst + i);
    });
}

void max_pixels(const float* const* src, int count, int c, float* dst) {
  for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
    auto largest = hn::LoadU(d, src[0] + i);
    for (int k = 1; k < count; ++k) largest = hn::Max(largest, hn::LoadU(d, src[k] + i));
    hn::StoreU(largest, d, dst + i);
  });
}

void max_pixels_backward(const float* const* src, int count, int c, const float* d_dst,
                         float* const* d_src) {
  for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
    auto largest = hn::LoadU(d, src[0] + i);
    for (int k = 1; k < count; ++k) largest = hn::Max(largest, hn::LoadU(d, src[k] + i));
    auto grad = hn::LoadU(d, d_dst + i);
    for (int k = 0; k < count; ++k) {
      const auto is_largest = hn::Eq(hn::LoadU(d, src[k] + i), largest);
      const auto sum = hn::Add(hn::LoadU(d, d_src[k] + i), hn::IfThenElseZero(is_largest, grad));
      hn::StoreU(sum, d, d_src[k] + i);
      grad = hn::IfThenZeroElse(is_largest, grad);
    }
  });
}

}  // namespace
}  // namespace unmar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::cpu {

HWY_EXPORT(combine_rows);
HWY_EXPORT(combine_mapped_rows);
HWY_EXPORT(combine_many);
HWY_EXPORT(combine_pixels);
HWY_EXPORT(max_pixels);
HWY_EXPORT(max_pixels_backward);

void combine_rows(const float* const* rows, const float* weight, int taps, std::size_t count,
                  float* dst) {
  HWY_DYNAMIC_DISPATCH(combine_rows)(rows, weight, taps, count, dst);
}
void combine_pixels(const float* src, std::ptrdiff_t src_ld, const int* begin, const int* index,
                    const float* weight, int pixels, int c, float* dst, std::ptrdiff_t dst_ld,
                    bool accumulate) {
  HWY_DYNAMIC_DISPATCH(combine_pixels)
  (src, src_ld, begin, index, weight, pixels, c, dst, dst_ld, accumulate);
}

void combine_mapped_rows(const float* const* rows, std::ptrdiff_t ld, const float* weight, int taps,
                         const PixelMap& map, std::ptrdiff_t pixels, int c, float* dst) {
  HWY_DYNAMIC_DISPATCH(combine_mapped_rows)(rows, ld, weight, taps, map, pixels, c, dst);
}
void combine_many(const float* const* src, const float* weight, int taps, std::size_t count,
                  float* dst, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(combine_many)(src, weight, taps, count, dst, accumulate);
}
void max_pixels(const float* const* src, int count, int c, float* dst) {
  HWY_DYNAMIC_DISPATCH(max_pixels)(src, count, c, dst);
}
void max_pixels_backward(const float* const* src, int count, int c, const float* d_dst,
                         float* const* d_src) {
  HWY_DYNAMIC_DISPATCH(max_pixels_backward)(src, count, c, d_dst, d_src);
}

}  // namespace unmar::cpu
#endif
