// Included once per instruction set by the kernels_*.cpp files (Highway's foreach_target).
#if defined(UNMAR_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef UNMAR_LANES_INL_H_
#undef UNMAR_LANES_INL_H_
#else
#define UNMAR_LANES_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "engine/cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Calls body(d, i) for i over [0, count): whole vectors first, then four and one lane at a time.
template <class Body>
HWY_INLINE void for_lanes(std::size_t count, const Body& body) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 4> four;
  const hn::CappedTag<float, 1> one;
  std::size_t i = 0;
  for (; i + hn::Lanes(full) <= count; i += hn::Lanes(full)) body(full, i);
  for (; i + hn::Lanes(four) <= count; i += hn::Lanes(four)) body(four, i);
  for (; i < count; ++i) body(one, i);
}

template <Act::Kind kind>
struct ActOp {
  float slope;

  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V logistic(D d, V z) const {
    const V one = hn::Set(d, 1.f);
    const V most = hn::Set(d, 88.f);  // Exp is defined up to 104; in this order Min passes NaN on
    return hn::Div(one, hn::Add(one, hn::Exp(d, hn::Min(most, hn::Neg(z)))));
  }
  /// Distribution and exp(-z^2 / 2) of the normal law. erf by Abramowitz and Stegun 7.1.26, which
  /// is off by 1.5e-7 at most.
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V normal_cdf(D d, V z, V& bell) const {
    const V one = hn::Set(d, 1.f);
    const V x = hn::Mul(hn::Abs(z), hn::Set(d, 0.70710678f));
    bell = hn::Exp(d, hn::Neg(hn::Mul(x, x)));
    const V t = hn::Div(one, hn::MulAdd(hn::Set(d, 0.3275911f), x, one));
    V p = hn::MulAdd(hn::Set(d, 1.061405429f), t, hn::Set(d, -1.453152027f));
    p = hn::MulAdd(p, t, hn::Set(d, 1.421413741f));
    p = hn::MulAdd(p, t, hn::Set(d, -0.284496736f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.254829592f));
    const V tail = hn::Mul(hn::Set(d, 0.5f), hn::Mul(hn::Mul(p, t), bell));
    return hn::IfThenElse(hn::Lt(z, hn::Zero(d)), tail, hn::Sub(one, tail));
  }
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V value(D d, V z) const {
    if constexpr (kind == Act::Kind::none) return z;
    const V zero = hn::Zero(d);
    if constexpr (kind == Act::Kind::leaky_relu)
      return hn::IfThenElse(hn::Gt(z, zero), z, hn::Mul(z, hn::Set(d, slope)));
    if constexpr (kind == Act::Kind::elu)
      return hn::IfThenElse(hn::Gt(z, zero), z,
                            hn::Mul(hn::Expm1(d, hn::Min(z, zero)), hn::Set(d, slope)));
    if constexpr (kind == Act::Kind::silu) return hn::Mul(z, logistic(d, z));
    if constexpr (kind == Act::Kind::gelu) {
      V bell;
      return hn::Mul(z, normal_cdf(d, z, bell));
    }
    if constexpr (kind == Act::Kind::tanh) return hn::Tanh(d, z);
    if constexpr (kind == Act::Kind::sigmoid) return logistic(d, z);
  }
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V derivative(D d, V z) const {
    const V one = hn::Set(d, 1.f);
    if constexpr (kind == Act::Kind::none) return one;
    const V zero = hn::Zero(d);
    if constexpr (kind == Act::Kind::leaky_relu)
      return hn::IfThenElse(hn::Gt(z, zero), one, hn::Set(d, slope));
    if constexpr (kind == Act::Kind::elu)
      return hn::IfThenElse(hn::Gt(z, zero), one,
                            hn::Mul(hn::Exp(d, hn::Min(z, zero)), hn::Set(d, slope)));
    if constexpr (kind == Act::Kind::gelu) {
      V bell;
      const V cdf = normal_cdf(d, z, bell);
      return hn::MulAdd(hn::Mul(z, bell), hn::Set(d, 0.39894228f), cdf);
    }
    if constexpr (kind == Act::Kind::tanh) {
      const V t = hn::Tanh(d, z);
      return hn::NegMulAdd(t, t, one);
    }
    const V s = logistic(d, z);
    const V rest = hn::Sub(one, s);
    if constexpr (kind == Act::Kind::silu) return hn::Mul(s, hn::MulAdd(z, rest, one));
    if constexpr (kind == Act::Kind::sigmoid) return hn::Mul(s, rest);
  }
};

/// Calls body(ActOp<kind>) for the run-time kind.
template <class Body>
HWY_INLINE void with_act(const Act& act, const Body& body) {
  switch (act.kind) {
    case Act::Kind::none:
      return body(ActOp<Act::Kind::none>{act.slope});
    case Act::Kind::leaky_relu:
      return body(ActOp<Act::Kind::leaky_relu>{act.slope});
    case Act::Kind::elu:
      return body(ActOp<Act::Kind::elu>{act.slope});
    case Act::Kind::silu:
      return body(ActOp<Act::Kind::silu>{act.slope});
    case Act::Kind::gelu:
      return body(ActOp<Act::Kind::gelu>{act.slope});
    case Act::Kind::tanh:
      return body(ActOp<Act::Kind::tanh>{act.slope});
    case Act::Kind::sigmoid:
      return body(ActOp<Act::Kind::sigmoid>{act.slope});
  }
}

/// The same for none or a leaky ReLU.
template <class Body>
HWY_INLINE void with_cheap_act(const Act& act, const Body& body) {
  if (act.kind == Act::Kind::none) return body(ActOp<Act::Kind::none>{});
  body(ActOp<Act::Kind::leaky_relu>{act.slope});
}

}  // namespace unmar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
