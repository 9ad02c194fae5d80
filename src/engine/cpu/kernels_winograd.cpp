#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/kernels_winograd.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include "engine/cpu/lanes-inl.h"

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

/// One tile: load(d, i) tells how to get the value at (row, col), `step`, the one-dimensional
/// transform In -> Out, is applied both ways, store(d, i) tells where its results go.
template <int In, int Out, class Load, class Transform, class Store>
HWY_INLINE void transform_tile(std::size_t c, const Load& load, const Transform& step,
                               const Store& store) {
  for_lanes(c, [&](auto d, std::size_t i) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    const auto value = load(d, i);
    const auto keep = store(d, i);
    V half[Out][In];
    for (int col = 0; col < In; ++col) {
      V x[In], y[Out];
      for (int row = 0; row < In; ++row) x[row] = value(row, col);
      step(d, x, y);
      for (int row = 0; row < Out; ++row) half[row][col] = y[row];
    }
    for (int row = 0; row < Out; ++row) {
      V y[Out];
      step(d, half[row], y);
      for (int col = 0; col < Out; ++col) keep(row, col, y[col]);
    }
  });
}

/// at(row, col) -> a pixel of a tile; nullptr only where they may_miss.
template <class T>
struct GridPixels {
  static constexpr bool may_miss = false;
  TilePixels<T> pixels;
  HWY_INLINE T* operator()(int row, int col) const {
    return pixels.first + row * pixels.row + col * pixels.col;
  }
};
template <class T>
struct TablePixels {
  static constexpr bool may_miss = true;
  T* const* table;
  int side;
  HWY_INLINE T* operator()(int row, int col) const { return table[row * side + col]; }
};
template <class T, class Body>
HWY_INLINE void with_pixels(const TilePixels<T>& pixels, int side, const Body& body) {
  if (pixels.table) return body(TablePixels<T>{pixels.table, side});
  body(GridPixels<T>{pixels});
}

/// Of pixels at(row, col), through `map`, which never makes more of a missing pixel than zeros.
template <class At, class Map>
HWY_INLINE auto pixel_loader(const At& at, const Map& map) {
  return [&at, &map](auto d, std::size_t i) HWY_ATTR {
    const auto mapped = map(d, i);
    return [&at, mapped, d, i](int row, int col) HWY_ATTR {
      const float* p = at(row, col);
      if constexpr (At::may_miss)
        if (!p) return hn::Zero(d);
      return mapped(hn::LoadU(d, p + i));
    };
  };
}
constexpr auto kAsItIs = [](auto, std::size_t) { return [](auto x) { return x; }; };

/// Points of `kIn` a side, `stride` apart.
HWY_INLINE auto point_loader(const float* src, std::ptrdiff_t stride, int side) {
  return [=](auto d, std::size_t i) HWY_ATTR {
    return [=](int row, int col)
               HWY_ATTR { return hn::LoadU(d, src + (row * side + col) * stride + i); };
  };
}
HWY_INLINE auto point_storer(float* dst, std::ptrdiff_t stride, int side) {
  return [=](auto d, std::size_t i) HWY_ATTR {
    return [=](int row, int col, auto v)
               HWY_ATTR { hn::StoreU(v, d, dst + (row * side + col) * stride + i); };
  };
}

void winograd_input(int tile, const TilePixels<const float>& pixels, const PixelMap& map, int c,
                    float* dst, std::ptrdiff_t stride) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput;
    with_pixels(pixels, kIn, [&](auto at) HWY_ATTR {
      const auto transform = [&](const auto& mapped) HWY_ATTR {
        transform_tile<kIn, kIn>(
            static_cast<std::size_t>(c), pixel_loader(at, mapped),
            [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::input(d, x, y); },
            point_storer(dst, stride, kIn));
      };
      if (!map.scale) return transform(kAsItIs);
      with_cheap_act(map.act, [&](auto act) HWY_ATTR {
        transform([&](auto d, std::size_t i) HWY_ATTR {
          const auto scale = hn::LoadU(d, map.scale + i), shift = hn::LoadU(d, map.shift + i);
          return [=](auto x) HWY_ATTR { return act.value(d, hn::MulAdd(x, scale, shift)); };
        });
      });
    });
  });
}

void winograd_output(int tile, const float* src, std::ptrdiff_t stride, int c, const float* bias,
                     const TilePixels<float>& pixels, bool accumulate) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput, kOut = decltype(f)::kTile;
    with_pixels(pixels, kOut, [&](auto at) HWY_ATTR {
      transform_tile<kIn, kOut>(
          static_cast<std::size_t>(c), point_loader(src, stride, kIn),
          [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::output(d, x, y); },
          [&](auto d, std::size_t i) HWY_ATTR {
            const auto offset = bias ? hn::LoadU(d, bias + i) : hn::Zero(d);
            return [&, d, i, offset](int row, int col, auto v) HWY_ATTR {
              float* pixel = at(row, col);
              if constexpr (decltype(at)::may_miss)
                if (!pixel) return;
              v = hn::Add(v, offset);
              if (accumulate) v = hn::Add(v, hn::LoadU(d, pixel + i));
              hn::StoreU(v, d, pixel + i);
            };
          });
    });
  });
}

void winograd_output_adjoint(int tile, const TilePixels<const float>& pixels, int c, float* dst,
                             std::ptrdiff_t stride) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput, kOut = decltype(f)::kTile;
    with_pixels(pixels, kOut, [&](auto at) HWY_ATTR {
      transform_tile<kOut, kIn>(
          static_cast<std::size_t>(c), pixel_loader(at, kAsItIs),
          [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::output_adjoint(d, x, y); },
          point_storer(dst, stride, kIn));
    });
  });
}

void winograd_weights(int tile, const float* weights, std::ptrdiff_t tap_stride, std::size_t count,
                      bool flip, float* dst, std::ptrdiff_t stride) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput;
    // Turned by 180 degrees, the taps are read from the last to the first.
    const float* first = flip ? weights + 8 * tap_stride : weights;
    transform_tile<3, kIn>(
        count, point_loader(first, flip ? -tap_stride : tap_stride, 3),
        [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::weights(d, x, y); },
        point_storer(dst, stride, kIn));
  });
}

void winograd_weights_adjoint(int tile, const float* src, std::ptrdiff_t stride, std::size_t count,
                              float* d_weights, std::ptrdiff_t tap_stride) {
  with_tile(tile, [&](auto f) HWY_ATTR {
    constexpr int kIn = decltype(f)::kInput;
    transform_tile<kIn, 3>(
        count, point_loader(src, stride, kIn),
        [](auto d, const auto* x, auto* y) HWY_ATTR { decltype(f)::weights_adjoint(d, x, y); },
        point_storer(d_weights, tap_stride, 3));
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

void winograd_input(int tile, const TilePixels<const float>& pixels, const PixelMap& map, int c,
                    float* dst, std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(winograd_input)(tile, pixels, map, c, dst, stride);
}
void winograd_output(int tile, const float* src, std::ptrdiff_t stride, int c, const float* bias,
                     const TilePixels<float>& pixels, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(winograd_output)(tile, src, stride, c, bias, pixels, accumulate);
}
void winograd_output_adjoint(int tile, const TilePixels<const float>& pixels, int c, float* dst,
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
