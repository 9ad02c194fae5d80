#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/onednn/kernels_winograd.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include "engine/onednn/lanes-inl.h"

// One-dimensional transforms. A two-dimensional one is the same transform over the columns, then
// over the rows. B, G, A name the matrices of Lavin and Gray. Points come in pairs +p, -p, whose
// rows differ in the signs of odd elements: hence the sums and differences of an even and an odd
// part.
HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {
namespace {

template <class D, class V = hn::Vec<D>>
HWY_INLINE V times(D d, float factor, V x) {
  return hn::Mul(hn::Set(d, factor), x);
}
/// sum + factor * x
template <class D, class V = hn::Vec<D>>
HWY_INLINE V plus(D d, float factor, V x, V sum) {
  return hn::MulAdd(hn::Set(d, factor), x, sum);
}
template <class V>
HWY_INLINE void pair(V even, V odd, V* y) {
  y[0] = hn::Add(even, odd);
  y[1] = hn::Sub(even, odd);
}

/// F(4, 3): the points 0, 1, -1, 2, -2 and infinity.
struct Tile4 {
  static constexpr int kTile = 4, kInput = 6;

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void input(D d, const V* x, V* y) {  // B^T: 6 -> 6
    y[0] = plus(d, 4.f, x[0], plus(d, -5.f, x[2], x[4]));
    pair(plus(d, -4.f, x[2], x[4]), plus(d, -4.f, x[1], x[3]), y + 1);
    pair(hn::Sub(x[4], x[2]), times(d, 2.f, hn::Sub(x[3], x[1])), y + 3);
    y[5] = plus(d, 4.f, x[1], plus(d, -5.f, x[3], x[5]));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void output(D d, const V* x, V* y) {  // A^T: 6 -> 4
    const V s1 = hn::Add(x[1], x[2]), d1 = hn::Sub(x[1], x[2]);
    const V s2 = hn::Add(x[3], x[4]), d2 = hn::Sub(x[3], x[4]);
    y[0] = hn::Add(x[0], hn::Add(s1, s2));
    y[1] = plus(d, 2.f, d2, d1);
    y[2] = plus(d, 4.f, s2, s1);
    y[3] = hn::Add(plus(d, 8.f, d2, d1), x[5]);
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void output_adjoint(D d, const V* x, V* y) {  // A: 4 -> 6
    y[0] = x[0];
    pair(hn::Add(x[0], x[2]), hn::Add(x[1], x[3]), y + 1);
    pair(plus(d, 4.f, x[2], x[0]), plus(d, 8.f, x[3], times(d, 2.f, x[1])), y + 3);
    y[5] = x[3];
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void weights(D d, const V* x, V* y) {  // G: 3 -> 6
    y[0] = times(d, 1.f / 4, x[0]);
    pair(times(d, -1.f / 6, hn::Add(x[0], x[2])), times(d, -1.f / 6, x[1]), y + 1);
    pair(plus(d, 1.f / 24, x[0], times(d, 1.f / 6, x[2])), times(d, 1.f / 12, x[1]), y + 3);
    y[5] = x[2];
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void weights_adjoint(D d, const V* x, V* y) {  // G^T: 6 -> 3
    const V s1 = hn::Add(x[1], x[2]), d1 = hn::Sub(x[1], x[2]);
    const V s2 = hn::Add(x[3], x[4]), d2 = hn::Sub(x[3], x[4]);
    y[0] = plus(d, 1.f / 4, x[0], plus(d, -1.f / 6, s1, times(d, 1.f / 24, s2)));
    y[1] = plus(d, -1.f / 6, d1, times(d, 1.f / 12, d2));
    y[2] = hn::Add(times(d, 1.f / 6, hn::Sub(s2, s1)), x[5]);
  }
};

/// F(6, 3): the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity.
struct Tile6 {
  static constexpr int kTile = 6, kInput = 8;

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void input(D d, const V* x, V* y) {  // B^T: 8 -> 8
    y[0] = plus(d, 5.25f, hn::Sub(x[4], x[2]), hn::Sub(x[0], x[6]));
    pair(plus(d, -4.25f, x[4], hn::Add(x[2], x[6])), plus(d, -4.25f, x[3], hn::Add(x[1], x[5])),
         y + 1);
    pair(plus(d, 0.25f, x[2], plus(d, -1.25f, x[4], x[6])),
         plus(d, 0.5f, x[1], plus(d, -2.5f, x[3], times(d, 2.f, x[5]))), y + 3);
    pair(plus(d, 4.f, x[2], plus(d, -5.f, x[4], x[6])),
         plus(d, 2.f, x[1], plus(d, -2.5f, x[3], times(d, 0.5f, x[5]))), y + 5);
    y[7] = plus(d, 5.25f, hn::Sub(x[3], x[5]), hn::Sub(x[7], x[1]));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void output(D d, const V* x, V* y) {  // A^T: 8 -> 6
    const V s1 = hn::Add(x[1], x[2]), d1 = hn::Sub(x[1], x[2]);
    const V s2 = hn::Add(x[3], x[4]), d2 = hn::Sub(x[3], x[4]);
    const V s3 = hn::Add(x[5], x[6]), d3 = hn::Sub(x[5], x[6]);
    y[0] = hn::Add(hn::Add(x[0], s1), hn::Add(s2, s3));
    y[1] = plus(d, 2.f, d2, plus(d, 1.f / 2, d3, d1));
    y[2] = plus(d, 4.f, s2, plus(d, 1.f / 4, s3, s1));
    y[3] = plus(d, 8.f, d2, plus(d, 1.f / 8, d3, d1));
    y[4] = plus(d, 16.f, s2, plus(d, 1.f / 16, s3, s1));
    y[5] = plus(d, 32.f, d2, plus(d, 1.f / 32, d3, hn::Add(d1, x[7])));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void output_adjoint(D d, const V* x, V* y) {  // A: 6 -> 8
    y[0] = x[0];
    pair(hn::Add(x[0], hn::Add(x[2], x[4])), hn::Add(x[1], hn::Add(x[3], x[5])), y + 1);
    pair(plus(d, 4.f, x[2], plus(d, 16.f, x[4], x[0])),
         plus(d, 8.f, x[3], plus(d, 32.f, x[5], times(d, 2.f, x[1]))), y + 3);
    pair(plus(d, 1.f / 4, x[2], plus(d, 1.f / 16, x[4], x[0])),
         plus(d, 1.f / 8, x[3], plus(d, 1.f / 32, x[5], times(d, 1.f / 2, x[1]))), y + 5);
    y[7] = x[5];
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void weights(D d, const V* x, V* y) {  // G: 3 -> 8
    y[0] = x[0];
    pair(times(d, -2.f / 9, hn::Add(x[0], x[2])), times(d, -2.f / 9, x[1]), y + 1);
    pair(plus(d, 1.f / 90, x[0], times(d, 2.f / 45, x[2])), times(d, 1.f / 45, x[1]), y + 3);
    pair(plus(d, 32.f / 45, x[0], times(d, 8.f / 45, x[2])), times(d, 16.f / 45, x[1]), y + 5);
    y[7] = x[2];
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void weights_adjoint(D d, const V* x, V* y) {  // G^T: 8 -> 3
    const V s1 = hn::Add(x[1], x[2]), d1 = hn::Sub(x[1], x[2]);
    const V s2 = hn::Add(x[3], x[4]), d2 = hn::Sub(x[3], x[4]);
    const V s3 = hn::Add(x[5], x[6]), d3 = hn::Sub(x[5], x[6]);
    y[0] = plus(d, -2.f / 9, s1, plus(d, 1.f / 90, s2, plus(d, 32.f / 45, s3, x[0])));
    y[1] = plus(d, -2.f / 9, d1, plus(d, 1.f / 45, d2, times(d, 16.f / 45, d3)));
    y[2] = plus(d, -2.f / 9, s1, plus(d, 2.f / 45, s2, plus(d, 8.f / 45, s3, x[7])));
  }
};

/// Calls body(Tile4 or Tile6).
template <class Body>
HWY_INLINE void with_tile(int tile, const Body& body) {
  return tile == Tile6::kTile ? body(Tile6{}) : body(Tile4{});
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

void winograd_input(int tile, const float* const* pixels, const PixelMap& map, int c, float* dst,
                    std::ptrdiff_t stride) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput;
    const auto transform = [&](const auto& load) HWY_ATTR {
      transform_tile<kIn, kIn>(
          static_cast<std::size_t>(c), load,
          [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::input(d, x, y); },
          [&](auto d, int row, int col, std::size_t i, auto v)
              HWY_ATTR { hn::StoreU(v, d, dst + (row * kIn + col) * stride + i); });
    };
    if (!map.scale)
      return transform([&](auto d, int row, int col, std::size_t i)
                           HWY_ATTR { return load_or_zero(d, pixels[row * kIn + col], i); });
    with_act(map.act, [&](auto act) HWY_ATTR {
      transform([&](auto d, int row, int col, std::size_t i) HWY_ATTR {
        const float* p = pixels[row * kIn + col];
        if (!p) return hn::Zero(d);
        return act.value(d, hn::MulAdd(hn::LoadU(d, p + i), hn::LoadU(d, map.scale + i),
                                       hn::LoadU(d, map.shift + i)));
      });
    });
  });
}

void winograd_output(int tile, const float* src, std::ptrdiff_t stride, int c, const float* bias,
                     float* const* pixels, bool accumulate) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput, kOut = decltype(f)::kTile;
    transform_tile<kIn, kOut>(
        static_cast<std::size_t>(c),
        [&](auto d, int row, int col, std::size_t i)
            HWY_ATTR { return hn::LoadU(d, src + (row * kIn + col) * stride + i); },
        [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::output(d, x, y); },
        [&](auto d, int row, int col, std::size_t i, auto v) HWY_ATTR {
          float* pixel = pixels[row * kOut + col];
          if (!pixel) return;
          if (bias) v = hn::Add(v, hn::LoadU(d, bias + i));
          if (accumulate) v = hn::Add(v, hn::LoadU(d, pixel + i));
          hn::StoreU(v, d, pixel + i);
        });
  });
}

void winograd_output_adjoint(int tile, const float* const* pixels, int c, float* dst,
                             std::ptrdiff_t stride) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput, kOut = decltype(f)::kTile;
    transform_tile<kOut, kIn>(
        static_cast<std::size_t>(c),
        [&](auto d, int row, int col, std::size_t i)
            HWY_ATTR { return load_or_zero(d, pixels[row * kOut + col], i); },
        [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::output_adjoint(d, x, y); },
        [&](auto d, int row, int col, std::size_t i, auto v)
            HWY_ATTR { hn::StoreU(v, d, dst + (row * kIn + col) * stride + i); });
  });
}

void winograd_weights(int tile, const float* weights, std::ptrdiff_t tap_stride, std::size_t count,
                      bool flip, float* dst, std::ptrdiff_t stride) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput;
    transform_tile<3, kIn>(
        count,
        [&](auto d, int row, int col, std::size_t i) HWY_ATTR {
          const int tap = flip ? 8 - (row * 3 + col) : row * 3 + col;
          return hn::LoadU(d, weights + tap * tap_stride + i);
        },
        [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::weights(d, x, y); },
        [&](auto d, int row, int col, std::size_t i, auto v)
            HWY_ATTR { hn::StoreU(v, d, dst + (row * kIn + col) * stride + i); });
  });
}

void winograd_weights_adjoint(int tile, const float* src, std::ptrdiff_t stride, std::size_t count,
                              float* d_weights, std::ptrdiff_t tap_stride) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput;
    transform_tile<kIn, 3>(
        count,
        [&](auto d, int row, int col, std::size_t i)
            HWY_ATTR { return hn::LoadU(d, src + (row * kIn + col) * stride + i); },
        [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::weights_adjoint(d, x, y); },
        [&](auto d, int row, int col, std::size_t i, auto v)
            HWY_ATTR { hn::StoreU(v, d, d_weights + (row * 3 + col) * tap_stride + i); });
  });
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

void winograd_input(int tile, const float* const* pixels, const PixelMap& map, int c, float* dst,
                    std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(winograd_input)(tile, pixels, map, c, dst, stride);
}
void winograd_output(int tile, const float* src, std::ptrdiff_t stride, int c, const float* bias,
                     float* const* pixels, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(winograd_output)(tile, src, stride, c, bias, pixels, accumulate);
}
void winograd_output_adjoint(int tile, const float* const* pixels, int c, float* dst,
                             std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(winograd_output_adjoint)(tile, pixels, c, dst, stride);
}
void winograd_weights(int tile, const float* weights, std::ptrdiff_t tap_stride, std::size_t count,
                      bool flip, float* dst, std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(winograd_weights)(tile, weights, tap_stride, count, flip, dst, stride);
}
void winograd_weights_adjoint(int tile, const float* src, std::ptrdiff_t stride, std::size_t count,
                              float* d_weights, std::ptrdiff_t tap_stride) {
  HWY_DYNAMIC_DISPATCH(winograd_weights_adjoint)(tile, src, stride, count, d_weights, tap_stride);
}

}  // namespace unmar::cpu
#endif
