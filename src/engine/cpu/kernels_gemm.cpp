#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/kernels_gemm.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include "engine/cpu/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {
namespace {

// A tile of C, kRows x two vectors, stays in registers while k runs: one vector of B is multiplied
// with kRows numbers of A. What is left of the registers holds B and the number of A.
#if HWY_ARCH_X86
constexpr int kRows = HWY_TARGET <= HWY_AVX3 ? 14 : 6;
constexpr bool kMasks = HWY_TARGET <= HWY_AVX2;  ///< parts of vectors can be loaded and stored
#else
constexpr int kRows = 14;
constexpr bool kMasks = false;
#endif

/// Whole vectors, or the first `count` lanes of one.
struct WholeVectors {
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, const float* p) const {
    return hn::LoadU(d, p);
  }
  template <class D>
  HWY_INLINE void store(D d, hn::Vec<D> v, float* p) const {
    hn::StoreU(v, d, p);
  }
};
struct PartOfVector {
  std::size_t count;
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, const float* p) const {
    return hn::MaskedLoad(hn::FirstN(d, count), d, p);
  }
  template <class D>
  HWY_INLINE void store(D d, hn::Vec<D> v, float* p) const {
    hn::BlendedStore(v, hn::FirstN(d, count), d, p);
  }
};

template <int Rows, int Vectors, class D, class Lanes>
HWY_INLINE void gemm_tile(D d, const Lanes& lanes, const Gemm& g, const float* HWY_RESTRICT a,
                          const float* HWY_RESTRICT b, const float* bias, float* HWY_RESTRICT c) {
  const auto width = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  hn::Vec<D> sum[Rows][Vectors];
  for (int row = 0; row < Rows; ++row)
    for (int v = 0; v < Vectors; ++v)
      sum[row][v] = g.accumulate ? lanes.load(d, c + row * g.c_row + v * width)
                    : bias       ? lanes.load(d, bias + v * width)
                                 : hn::Zero(d);
  for (int k = 0; k < g.k; ++k) {
    hn::Vec<D> x[Vectors];
    for (int v = 0; v < Vectors; ++v) x[v] = lanes.load(d, b + v * width);
    for (int row = 0; row < Rows; ++row) {
      const auto factor = hn::Set(d, a[row * g.a_row]);
      for (int v = 0; v < Vectors; ++v) sum[row][v] = hn::MulAdd(factor, x[v], sum[row][v]);
    }
    a += g.a_col;
    b += g.b_row;
  }
  for (int row = 0; row < Rows; ++row)
    for (int v = 0; v < Vectors; ++v) lanes.store(d, sum[row][v], c + row * g.c_row + v * width);
}

/// Rows by tiles of Rows, what is left by ever smaller ones.
template <int Rows, int Vectors, class D, class Lanes>
void gemm_rows_by(D d, const Lanes& lanes, const Gemm& g, int row, const float* a, const float* b,
                  const float* bias, float* c) {
  for (; row + Rows <= g.m; row += Rows)
    gemm_tile<Rows, Vectors>(d, lanes, g, a + row * g.a_row, b, bias, c + row * g.c_row);
  constexpr int kNext = Rows > 8 ? 8 : Rows / 2;
  if constexpr (kNext > 0)
    if (row < g.m) gemm_rows_by<kNext, Vectors>(d, lanes, g, row, a, b, bias, c);
}

/// All rows of a few columns: B's columns stay in the first-level cache.
template <int Vectors, class D, class Lanes>
void gemm_columns(D d, const Lanes& lanes, const Gemm& g, const float* a, const float* b, float* c,
                  int col) {
  gemm_rows_by<kRows, Vectors>(d, lanes, g, 0, a, b + col, g.bias ? g.bias + col : nullptr,
                               c + col);
}

int gemm_rows() { return kRows; }

void gemm(const Gemm& g, const float* a, const float* b, float* c) {
  const hn::ScalableTag<float> d;
  const int width = static_cast<int>(hn::Lanes(d));
  int col = 0;
  for (; col + 2 * width <= g.n; col += 2 * width)
    gemm_columns<2>(d, WholeVectors{}, g, a, b, c, col);
  if (col + width <= g.n) {
    gemm_columns<1>(d, WholeVectors{}, g, a, b, c, col);
    col += width;
  }
  if constexpr (kMasks) {
    if (col < g.n)
      gemm_columns<1>(d, PartOfVector{static_cast<std::size_t>(g.n - col)}, g, a, b, c, col);
  } else {
    const hn::CappedTag<float, 1> one;
    for (; col < g.n; ++col) gemm_columns<1>(one, WholeVectors{}, g, a, b, c, col);
  }
}

}  // namespace
}  // namespace unmar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::cpu {

HWY_EXPORT(gemm_rows);
HWY_EXPORT(gemm);

int gemm_rows() { return HWY_DYNAMIC_DISPATCH(gemm_rows)(); }
void gemm(const Gemm& g, const float* a, const float* b, float* c) {
  HWY_DYNAMIC_DISPATCH(gemm)(g, a, b, c);
}

}  // namespace unmar::cpu
#endif
