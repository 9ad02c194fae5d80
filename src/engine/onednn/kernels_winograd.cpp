#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/onednn/kernels_winograd.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include "engine/onednn/lanes-inl.h"

// One-dimensional transforms for the points 0, 1, -1, 2, -2 and infinity. A two-dimensional one is
// the same transform over the columns, then over the rows. B, G, A name the matrices of Lavin and
// Gray.
HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {
namespace {

/// y = B^T x: 6 -> 6.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void transform_input(D d, const V* x, V* y) {
  const V two = hn::Set(d, 2.f), four = hn::Set(d, 4.f), five = hn::Set(d, 5.f);
  const V a = hn::NegMulAdd(four, x[2], x[4]);  // x4 - 4 x2
  const V b = hn::NegMulAdd(four, x[1], x[3]);  // x3 - 4 x1
  const V c = hn::Sub(x[4], x[2]);
  const V e = hn::Mul(two, hn::Sub(x[3], x[1]));
  y[0] = hn::MulAdd(four, x[0], hn::NegMulAdd(five, x[2], x[4]));
  y[1] = hn::Add(a, b);
  y[2] = hn::Sub(a, b);
  y[3] = hn::Add(c, e);
  y[4] = hn::Sub(c, e);
  y[5] = hn::MulAdd(four, x[1], hn::NegMulAdd(five, x[3], x[5]));
}

/// y = A^T x: 6 -> 4.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void transform_output(D d, const V* x, V* y) {
  const V two = hn::Set(d, 2.f), four = hn::Set(d, 4.f), eight = hn::Set(d, 8.f);
  const V s1 = hn::Add(x[1], x[2]), d1 = hn::Sub(x[1], x[2]);
  const V s2 = hn::Add(x[3], x[4]), d2 = hn::Sub(x[3], x[4]);
  y[0] = hn::Add(x[0], hn::Add(s1, s2));
  y[1] = hn::MulAdd(two, d2, d1);
  y[2] = hn::MulAdd(four, s2, s1);
  y[3] = hn::Add(hn::MulAdd(eight, d2, d1), x[5]);
}

/// y = A x: 4 -> 6.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void transform_output_adjoint(D d, const V* x, V* y) {
  const V two = hn::Set(d, 2.f), four = hn::Set(d, 4.f), eight = hn::Set(d, 8.f);
  const V even1 = hn::Add(x[0], x[2]), odd1 = hn::Add(x[1], x[3]);
  const V even2 = hn::MulAdd(four, x[2], x[0]);
  const V odd2 = hn::MulAdd(eight, x[3], hn::Mul(two, x[1]));
  y[0] = x[0];
  y[1] = hn::Add(even1, odd1);
  y[2] = hn::Sub(even1, odd1);
  y[3] = hn::Add(even2, odd2);
  y[4] = hn::Sub(even2, odd2);
  y[5] = x[3];
}

/// y = G x: 3 -> 6.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void transform_weights(D d, const V* x, V* y) {
  const V sixth = hn::Set(d, 1.f / 6), twelfth = hn::Set(d, 1.f / 12);
  const V quarter = hn::Set(d, 0.25f), twentyfourth = hn::Set(d, 1.f / 24);
  const V even1 = hn::Mul(hn::Neg(sixth), hn::Add(x[0], x[2])), odd1 = hn::Mul(sixth, x[1]);
  const V even2 = hn::MulAdd(twentyfourth, x[0], hn::Mul(sixth, x[2])),
          odd2 = hn::Mul(twelfth, x[1]);
  y[0] = hn::Mul(quarter, x[0]);
  y[1] = hn::Sub(even1, odd1);
  y[2] = hn::Add(even1, odd1);
  y[3] = hn::Add(even2, odd2);
  y[4] = hn::Sub(even2, odd2);
  y[5] = x[2];
}

/// y = G^T x: 6 -> 3.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void transform_weights_adjoint(D d, const V* x, V* y) {
  const V sixth = hn::Set(d, 1.f / 6), twelfth = hn::Set(d, 1.f / 12);
  const V quarter = hn::Set(d, 0.25f), twentyfourth = hn::Set(d, 1.f / 24);
  const V s1 = hn::Add(x[1], x[2]), d1 = hn::Sub(x[2], x[1]);
  const V s2 = hn::Add(x[3], x[4]), d2 = hn::Sub(x[3], x[4]);
  y[0] = hn::MulAdd(quarter, x[0], hn::NegMulAdd(sixth, s1, hn::Mul(twentyfourth, s2)));
  y[1] = hn::MulAdd(sixth, d1, hn::Mul(twelfth, d2));
  y[2] = hn::Add(hn::Mul(sixth, hn::Sub(s2, s1)), x[5]);
}

/// One tile: load(d, row, col, i) -> In x In values, transform both ways, store(d, row, col, i, v).
/// `step` is the one-dimensional transform In -> Out.
template <int In, int Out, class Load, class Transform, class Store>
HWY_INLINE void transform_tile(std::size_t c, const Load& load, const Transform& step,
                               const Store& store) {
  for_lanes(c, [&](auto d, std::size_t i) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V half[Out][In];
    for (int col = 0; col < In; ++col) {
      V x[In], y[Out];
      for (int row = 0; row < In; ++row) x[row] = load(d, row, col, i);
      step(d, x, y);
      for (int row = 0; row < Out; ++row) half[row][col] = y[row];
    }
    for (int row = 0; row < Out; ++row) {
      V y[Out];
      step(d, half[row], y);
      for (int col = 0; col < Out; ++col) store(d, row, col, i, y[col]);
    }
  });
}

template <class D>
HWY_INLINE hn::Vec<D> load_or_zero(D d, const float* p, std::size_t i) {
  return p ? hn::LoadU(d, p + i) : hn::Zero(d);
}

void winograd_input(const float* const* pixels, const PixelMap& map, int c, float* dst,
                    std::ptrdiff_t stride) {
  const auto transform = [&](const auto& load) HWY_ATTR {
    transform_tile<6, 6>(
        static_cast<std::size_t>(c), load,
        [](auto d, const auto* x, auto* y) HWY_ATTR { transform_input(d, x, y); },
        [&](auto d, int row, int col, std::size_t i, auto v)
            HWY_ATTR { hn::StoreU(v, d, dst + (row * 6 + col) * stride + i); });
  };
  if (!map.scale)
    return transform([&](auto d, int row, int col, std::size_t i)
                         HWY_ATTR { return load_or_zero(d, pixels[row * 6 + col], i); });
  with_act(map.act, [&](auto act) HWY_ATTR {
    transform([&](auto d, int row, int col, std::size_t i) HWY_ATTR {
      const float* p = pixels[row * 6 + col];
      if (!p) return hn::Zero(d);
      return act.value(d, hn::MulAdd(hn::LoadU(d, p + i), hn::LoadU(d, map.scale + i),
                                     hn::LoadU(d, map.shift + i)));
    });
  });
}

void winograd_output(const float* src, std::ptrdiff_t stride, int c, const float* bias,
                     float* const* pixels, bool accumulate) {
  transform_tile<6, 4>(
      static_cast<std::size_t>(c),
      [&](auto d, int row, int col, std::size_t i)
          HWY_ATTR { return hn::LoadU(d, src + (row * 6 + col) * stride + i); },
      [](auto d, const auto* x, auto* y) HWY_ATTR { transform_output(d, x, y); },
      [&](auto d, int row, int col, std::size_t i, auto v) HWY_ATTR {
        float* pixel = pixels[row * 4 + col];
        if (!pixel) return;
        if (bias) v = hn::Add(v, hn::LoadU(d, bias + i));
        if (accumulate) v = hn::Add(v, hn::LoadU(d, pixel + i));
        hn::StoreU(v, d, pixel + i);
      });
}

void winograd_output_adjoint(const float* const* pixels, int c, float* dst, std::ptrdiff_t stride) {
  transform_tile<4, 6>(
      static_cast<std::size_t>(c),
      [&](auto d, int row, int col, std::size_t i)
          HWY_ATTR { return load_or_zero(d, pixels[row * 4 + col], i); },
      [](auto d, const auto* x, auto* y) HWY_ATTR { transform_output_adjoint(d, x, y); },
      [&](auto d, int row, int col, std::size_t i, auto v)
          HWY_ATTR { hn::StoreU(v, d, dst + (row * 6 + col) * stride + i); });
}

void winograd_weights(const float* weights, std::ptrdiff_t tap_stride, std::size_t count, bool flip,
                      float* dst, std::ptrdiff_t stride) {
  transform_tile<3, 6>(
      count,
      [&](auto d, int row, int col, std::size_t i) HWY_ATTR {
        const int tap = flip ? 8 - (row * 3 + col) : row * 3 + col;
        return hn::LoadU(d, weights + tap * tap_stride + i);
      },
      [](auto d, const auto* x, auto* y) HWY_ATTR { transform_weights(d, x, y); },
      [&](auto d, int row, int col, std::size_t i, auto v)
          HWY_ATTR { hn::StoreU(v, d, dst + (row * 6 + col) * stride + i); });
}

void winograd_weights_adjoint(const float* src, std::ptrdiff_t stride, std::size_t count,
                              float* d_weights, std::ptrdiff_t tap_stride) {
  transform_tile<6, 3>(
      count,
      [&](auto d, int row, int col, std::size_t i)
          HWY_ATTR { return hn::LoadU(d, src + (row * 6 + col) * stride + i); },
      [](auto d, const auto* x, auto* y) HWY_ATTR { transform_weights_adjoint(d, x, y); },
      [&](auto d, int row, int col, std::size_t i, auto v)
          HWY_ATTR { hn::StoreU(v, d, d_weights + (row * 3 + col) * tap_stride + i); });
}

}  // namespace
}  // namespace unmar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::cpu {

HWY_EXPORT(winograd_input);
HWY_EXPORT(winograd_output);
HWY_EXPORT(winograd_output_adjoint);
HWY_EXPORT(winograd_weights);
HWY_EXPORT(winograd_weights_adjoint);

void winograd_input(const float* const* pixels, const PixelMap& map, int c, float* dst,
                    std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(winograd_input)(pixels, map, c, dst, stride);
}
void winograd_output(const float* src, std::ptrdiff_t stride, int c, const float* bias,
                     float* const* pixels, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(winograd_output)(src, stride, c, bias, pixels, accumulate);
}
void winograd_output_adjoint(const float* const* pixels, int c, float* dst, std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(winograd_output_adjoint)(pixels, c, dst, stride);
}
void winograd_weights(const float* weights, std::ptrdiff_t tap_stride, std::size_t count, bool flip,
                      float* dst, std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(winograd_weights)(weights, tap_stride, count, flip, dst, stride);
}
void winograd_weights_adjoint(const float* src, std::ptrdiff_t stride, std::size_t count,
                              float* d_weights, std::ptrdiff_t tap_stride) {
  HWY_DYNAMIC_DISPATCH(winograd_weights_adjoint)(src, stride, count, d_weights, tap_stride);
}

}  // namespace unmar::cpu
#endif
