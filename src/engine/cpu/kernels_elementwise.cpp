#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/kernels_elementwise.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include <algorithm>
#include <cmath>

#include "engine/cpu/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {
namespace {

void scale_add(float* dst, const float* src, float weight, std::size_t count, bool accumulate) {
  for_lanes(count, [&](auto d, std::size_t i) HWY_ATTR {
    const auto scaled = hn::Mul(hn::LoadU(d, src + i), hn::Set(d, weight));
    hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, dst + i), scaled) : scaled, d, dst + i);
  });
}

void add_to_pixels(float* dst, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c, const float* row) {
  for (std::ptrdiff_t p = 0; p < pixels; ++p, dst += ld)
    for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
      hn::StoreU(hn::Add(hn::LoadU(d, dst + i), hn::LoadU(d, row + i)), d, dst + i);
    });
}

void sum_pixels(const float* src, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c, float* sum) {
  for_lanes(static_cast<std::size_t>(c), [&](auto d, std::size_t i) HWY_ATTR {
    auto even = hn::LoadU(d, sum + i);
    auto odd = hn::Zero(d);
    std::ptrdiff_t p = 0;
    for (; p + 2 <= pixels; p += 2) {
      even = hn::Add(even, hn::LoadU(d, src + p * ld + i));
      odd = hn::Add(odd, hn::LoadU(d, src + (p + 1) * ld + i));
    }
    if (p < pixels) even = hn::Add(even, hn::LoadU(d, src + p * ld + i));
    hn::StoreU(hn::Add(even, odd), d, sum + i);
  });
}

void activate(const Act& act, const float* src, float* dst, std::size_t count) {
  with_act(act, [&](auto op) HWY_ATTR {
    for_lanes(count, [&](auto d, std::size_t i)
                         HWY_ATTR { hn::StoreU(op.value(d, hn::LoadU(d, src + i)), d, dst + i); });
  });
}

void activate_backward(const Act& act, const float* src, const float* d_dst, float* d_src,
                       std::size_t count, bool accumulate) {
  with_act(act, [&](auto op) HWY_ATTR {
    for_lanes(count, [&](auto d, std::size_t i) HWY_ATTR {
      const auto dz = hn::Mul(hn::LoadU(d, d_dst + i), op.derivative(d, hn::LoadU(d, src + i)));
      hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, d_src + i), dz) : dz, d, d_src + i);
    });
  });
}

void adam_update(float* value, float* m, float* v, const float* grad, std::size_t count,
                 const AdamStep& adam) {
  for_lanes(count, [&](auto d, std::size_t i) HWY_ATTR {
    const auto g = hn::Mul(hn::LoadU(d, grad + i), hn::Set(d, adam.grad_scale));
    const auto new_m = hn::MulAdd(hn::Set(d, adam.beta1), hn::LoadU(d, m + i),
                                  hn::Mul(hn::Set(d, 1.f - adam.beta1), g));
    const auto new_v = hn::MulAdd(hn::Set(d, adam.beta2), hn::LoadU(d, v + i),
                                  hn::Mul(hn::Set(d, 1.f - adam.beta2), hn::Mul(g, g)));
    const auto change =
        hn::Div(hn::Mul(hn::Set(d, adam.rate), new_m),
                hn::MulAdd(hn::Sqrt(new_v), hn::Set(d, adam.inv_root), hn::Set(d, adam.eps)));
    hn::StoreU(new_m, d, m + i);
    hn::StoreU(new_v, d, v + i);
    hn::StoreU(hn::Sub(hn::LoadU(d, value + i), change), d, value + i);
  });
}

void approach(float* average, const float* value, float share, std::size_t count) {
  if (share == 1.f) return void(std::copy_n(value, count, average));
  for_lanes(count, [&](auto d, std::size_t i) HWY_ATTR {
    const auto a = hn::LoadU(d, average + i);
    const auto way = hn::Sub(hn::LoadU(d, value + i), a);
    hn::StoreU(hn::MulAdd(hn::Set(d, share), way, a), d, average + i);
  });
}

/// Float sums over short runs, double over these.
double sum_squares(const float* src, std::size_t count) {
  constexpr std::size_t kRun = 1024;
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  double sum = 0;
  for (std::size_t begin = 0; begin < count; begin += kRun) {
    const std::size_t end = std::min(count, begin + kRun);
    auto squares = hn::Zero(d);
    std::size_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      const auto x = hn::LoadU(d, src + i);
      squares = hn::MulAdd(x, x, squares);
    }
    const float run = hn::GetLane(hn::SumOfLanes(d, squares));
    if (std::isfinite(run))
      sum += static_cast<double>(run);
    else
      i = begin;  // too large for float
    for (; i < end; ++i) sum += static_cast<double>(src[i]) * static_cast<double>(src[i]);
  }
  return sum;
}

}  // namespace
}  // namespace unmar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::cpu {

HWY_EXPORT(scale_add);
HWY_EXPORT(add_to_pixels);
HWY_EXPORT(sum_pixels);
HWY_EXPORT(activate);
HWY_EXPORT(activate_backward);
HWY_EXPORT(adam_update);
HWY_EXPORT(approach);
HWY_EXPORT(sum_squares);

Act to_act(const Activation& op) {
  switch (op.kind) {
    case ActivationKind::relu:
      return {Act::Kind::leaky_relu, 0.f};
    case ActivationKind::leaky_relu:
      return {Act::Kind::leaky_relu, op.slope};
    case ActivationKind::elu:
      return {Act::Kind::elu, op.slope};
    case ActivationKind::silu:
      return {Act::Kind::silu, 0.f};
    case ActivationKind::gelu:
      return {Act::Kind::gelu, 0.f};
    case ActivationKind::tanh:
      return {Act::Kind::tanh, 0.f};
    case ActivationKind::sigmoid:
      return {Act::Kind::sigmoid, 0.f};
  }
  return {};
}

void scale_add(float* dst, const float* src, float weight, std::size_t count, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(scale_add)(dst, src, weight, count, accumulate);
}
void add_to_pixels(float* dst, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c, const float* row) {
  HWY_DYNAMIC_DISPATCH(add_to_pixels)(dst, ld, pixels, c, row);
}
void sum_pixels(const float* src, std::ptrdiff_t ld, std::ptrdiff_t pixels, int c, float* sum) {
  HWY_DYNAMIC_DISPATCH(sum_pixels)(src, ld, pixels, c, sum);
}
void activate(const Act& act, const float* src, float* dst, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(activate)(act, src, dst, count);
}
void activate_backward(const Act& act, const float* src, const float* d_dst, float* d_src,
                       std::size_t count, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(activate_backward)(act, src, d_dst, d_src, count, accumulate);
}
void adam_update(float* value, float* m, float* v, const float* grad, std::size_t count,
                 const AdamStep& adam) {
  HWY_DYNAMIC_DISPATCH(adam_update)(value, m, v, grad, count, adam);
}
void approach(float* average, const float* value, float share, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(approach)(average, value, share, count);
}
double sum_squares(const float* src, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(sum_squares)(src, count);
}

}  // namespace unmar::cpu
#endif
