#include "patches/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "patches/kernels.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace unmar::patches::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Full = hn::ScalableTag<float>;
using D = hn::CappedTag<float, kStrideUnit>;
using V = hn::Vec<D>;

constexpr int kLargest = 256;  ///< rows of a matrix: pixels or patches of a group

void column_distances(const float* a, const float* b, int rows, int ld, int count, float* sums) {
  const Full full;
  const hn::CappedTag<float, 1> one;
  const auto at = [&](auto d, int i) HWY_ATTR {
    auto sum = hn::Zero(d);
    for (int r = 0; r < rows; ++r) {
      const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(r) * ld + i;
      const auto difference = hn::Sub(hn::LoadU(d, a + row), hn::LoadU(d, b + row));
      sum = hn::MulAdd(difference, difference, sum);
    }
    hn::StoreU(sum, d, sums + i);
  };
  const int lanes = static_cast<int>(hn::Lanes(full));
  int i = 0;
  for (; i + lanes <= count; i += lanes) at(full, i);
  for (; i < count; ++i) at(one, i);
}

/// Calls at(integral constant, column) for pieces of one to three vectors that cover a row: with
/// four rows of sums, that is what 16 registers hold.
template <class At>
HWY_INLINE void for_pieces(int stride, const At& at) {
  const int lanes = static_cast<int>(hn::Lanes(D()));
  for (int j = 0; j < stride;) {
    const int left = (stride - j) / lanes;
    if (left == 3 || left > 4) {
      at(std::integral_constant<int, 3>(), j);
      j += 3 * lanes;
    } else if (left > 1) {
      at(std::integral_constant<int, 2>(), j);
      j += 2 * lanes;
    } else {
      at(std::integral_constant<int, 1>(), j);
      j += lanes;
    }
  }
}

/// Four rows of so many vectors, in registers.
template <int kVectors>
struct Rows {
  static HWY_INLINE std::ptrdiff_t at(int stride, int r, int v) {
    return static_cast<std::ptrdiff_t>(r) * stride +
           v * static_cast<std::ptrdiff_t>(hn::Lanes(D()));
  }
  HWY_INLINE void clear() {
    for (auto& row : value)
      for (V& v : row) v = hn::Zero(D());
  }
  HWY_INLINE void load(const float* from, int stride) {
    for (int r = 0; r < kRowUnit; ++r)
      for (int v = 0; v < kVectors; ++v) value[r][v] = hn::LoadU(D(), from + at(stride, r, v));
  }
  HWY_INLINE void store(float* to, int stride) const {
    for (int r = 0; r < kRowUnit; ++r)
      for (int v = 0; v < kVectors; ++v) hn::StoreU(value[r][v], D(), to + at(stride, r, v));
  }
  /// Row r += sum over p of left(p, r) * right[p].
  template <class Left>
  HWY_INLINE void add(const Left& left, const float* right, int stride, int count) {
    for (int p = 0; p < count; ++p, right += stride) {
      V x[kVectors];
      for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(D(), right + at(0, 0, v));
      for (int r = 0; r < kRowUnit; ++r) {
        const V l = hn::Set(D(), left(p, r));
        for (int v = 0; v < kVectors; ++v) value[r][v] = hn::MulAdd(l, x[v], value[r][v]);
      }
    }
  }
  template <class Left>
  HWY_INLINE void subtract(const Left& left, const float* right, int stride, int count) {
    add([&](int p, int r) HWY_ATTR { return -left(p, r); }, right, stride, count);
  }
  HWY_INLINE void subtract(int to, float factor, int from) {
    const V f = hn::Set(D(), factor);
    for (int v = 0; v < kVectors; ++v)
      value[to][v] = hn::NegMulAdd(f, value[from][v], value[to][v]);
  }
  HWY_INLINE void scale(int r, float factor) {
    const V f = hn::Set(D(), factor);
    for (int v = 0; v < kVectors; ++v) value[r][v] = hn::Mul(value[r][v], f);
  }

  V value[kRowUnit][kVectors];
};

void take_mean(float* group, int k, int stride, float* mean) {
  const D d;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  const V share = hn::Set(d, 1.f / static_cast<float>(k));
  for (int j = 0; j < stride; j += lanes) {
    V sum = hn::Zero(d);
    for (int i = 0; i < k; ++i) sum = hn::Add(sum, hn::LoadU(d, group + i * stride + j));
    sum = hn::Mul(sum, share);
    hn::StoreU(sum, d, mean + j);
    for (int i = 0; i < k; ++i) {
      float* at = group + i * stride + j;
      hn::StoreU(hn::Sub(hn::LoadU(d, at), sum), d, at);
    }
  }
}

Difference difference(const float* a, const float* b, int k, int stride) {
  const D d;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  Difference result{};
  for (int j = 0; j < stride; j += lanes) {
    V sum = hn::Zero(d), squares = sum;
    for (int i = 0; i < k; ++i) {
      const V left = hn::Sub(hn::LoadU(d, a + i * stride + j), hn::LoadU(d, b + i * stride + j));
      sum = hn::Add(sum, left);
      squares = hn::MulAdd(left, left, squares);
    }
    result.sum += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
    result.squares += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, squares)));
  }
  return result;
}

void transpose(const float* from, int stride, int rows, int columns, float* to, int to_stride) {
  for (int i = 0; i < columns; i += kRowUnit)
    for (int j = 0; j < rows; j += kRowUnit)
      for (int r = 0; r < kRowUnit; ++r)
        for (int c = 0; c < kRowUnit; ++c)
          to[(i + r) * to_stride + j + c] = from[(j + c) * stride + i + r];
}

void product(const float* a, int a_stride, const float* b, int b_stride, int k, int n, float* c) {
  for_pieces(b_stride, [&](auto vectors, int j) HWY_ATTR {
    for (int i = 0; i < n; i += kRowUnit) {
      Rows<vectors.value> rows;
      rows.clear();
      rows.add([&](int p, int r) HWY_ATTR { return a[p * a_stride + i + r]; }, b + j, b_stride, k);
      rows.store(c + i * b_stride + j, b_stride);
    }
  });
}

/// rows <- what U' rows = rows says, of a block on the diagonal.
template <int kVectors>
HWY_INLINE void forward(const float* block, int stride, Rows<kVectors>& rows) {
  for (int r = 0; r < kRowUnit; ++r) {
    for (int p = 0; p < r; ++p) rows.subtract(r, block[p * stride + r], p);
    rows.scale(r, block[r * stride + r]);
  }
}

template <int kVectors>
HWY_INLINE void backward(const float* block, int stride, Rows<kVectors>& rows) {
  for (int r = kRowUnit - 1; r >= 0; --r) {
    for (int p = r + 1; p < kRowUnit; ++p) rows.subtract(r, block[r * stride + p], p);
    rows.scale(r, block[r * stride + r]);
  }
}

/// Of a block on the diagonal, from what the rows above have left of it.
HWY_INLINE void factor_block(const float* a, int stride, float (&u)[kRowUnit * kRowUnit]) {
  double m[kRowUnit][kRowUnit];
  for (int r = 0; r < kRowUnit; ++r) {
    for (int c = r; c < kRowUnit; ++c) {
      m[r][c] = static_cast<double>(a[r * stride + c]);
      for (int p = 0; p < r; ++p) m[r][c] -= m[p][r] * m[p][c];
    }
    const double inverse = 1 / std::sqrt(m[r][r]);
    for (int c = r + 1; c < kRowUnit; ++c) m[r][c] *= inverse;
    for (int c = r; c < kRowUnit; ++c)
      u[r * kRowUnit + c] = static_cast<float>(c == r ? inverse : m[r][c]);
  }
}

void factor(float* a, int stride, int n) {
  for (int i = 0; i < n; i += kRowUnit) {
    float* rows_at = a + i * stride;
    const auto for_right = [&](const auto& at) HWY_ATTR {
      for_pieces(stride, [&](auto vectors, int j) HWY_ATTR {
        if (j + vectors.value * static_cast<int>(hn::Lanes(D())) <= i) return;
        Rows<vectors.value> rows;
        rows.load(rows_at + j, stride);
        at(rows, j);
        rows.store(rows_at + j, stride);
      });
    };
    for_right([&](auto& rows, int j) HWY_ATTR {
      rows.subtract([&](int p, int r) HWY_ATTR { return a[p * stride + i + r]; }, a + j, stride, i);
    });
    float block[kRowUnit * kRowUnit];
    factor_block(rows_at + i, stride, block);
    for_right([&](auto& rows, int) HWY_ATTR { forward(block, kRowUnit, rows); });
    for (int r = 0; r < kRowUnit; ++r) rows_at[r * stride + i + r] = block[r * kRowUnit + r];
  }
}

void solve(const float* u, int stride, int n, float* x, int x_stride) {
  const int last = rows_of(n) - kRowUnit;
  for_pieces(x_stride, [&](auto vectors, int j) HWY_ATTR {
    Rows<vectors.value> rows;
    for (int i = 0; i <= last; i += kRowUnit) {
      rows.load(x + i * x_stride + j, x_stride);
      rows.subtract([&](int p, int r) HWY_ATTR { return u[p * stride + i + r]; }, x + j, x_stride,
                    i);
      forward(u + i * stride + i, stride, rows);
      rows.store(x + i * x_stride + j, x_stride);
    }
    for (int i = last; i >= 0; i -= kRowUnit) {
      const int next = i + kRowUnit;
      rows.load(x + i * x_stride + j, x_stride);
      rows.subtract([&](int p, int r) HWY_ATTR { return u[(i + r) * stride + next + p]; },
                    x + next * x_stride + j, x_stride, last - i);
      backward(u + i * stride + i, stride, rows);
      rows.store(x + i * x_stride + j, x_stride);
    }
  });
}

void weights_from_inverse(float* v, int k, int stride, float noise, float* norms) {
  const D d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  float u[kLargest];
  for (int j = 0; j < stride; j += lanes) {
    V sum = hn::Zero(d);
    for (int i = 0; i < k; ++i) sum = hn::Add(sum, hn::LoadU(d, v + i * stride + j));
    hn::StoreU(sum, d, u + j);
    hn::StoreU(hn::Zero(d), d, norms + j);
  }
  double total = 0;
  for (int i = 0; i < k; ++i) total += static_cast<double>(u[i]);
  const V strength = hn::Set(d, -noise);
  for (int i = 0; i < k; ++i) {
    float* row = v + i * stride;
    const V share = hn::Set(d, static_cast<float>(static_cast<double>(u[i]) / total));
    for (int j = 0; j < stride; j += lanes) {
      const V centred = hn::NegMulAdd(share, hn::LoadU(d, u + j), hn::LoadU(d, row + j));
      hn::StoreU(hn::Mul(centred, strength), d, row + j);
    }
    row[i] += 1.f;
    for (int j = 0; j < stride; j += lanes) {
      const V weight = hn::LoadU(d, row + j);
      hn::StoreU(hn::MulAdd(weight, weight, hn::LoadU(d, norms + j)), d, norms + j);
    }
  }
}

void norms_of(const float* p, const float* y, int n, int k, int stride, float noise, float* norms) {
  const D d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const V strength = hn::Set(d, noise);
  for (int j = 0; j < stride; j += lanes) {
    V sum = hn::Set(d, 1.f / static_cast<float>(k));
    for (int i = 0; i < n; ++i) {
      const V at = hn::LoadU(d, y + i * stride + j);
      const V rest = hn::NegMulAdd(strength, at, hn::LoadU(d, p + i * stride + j));
      sum = hn::MulAdd(at, rest, sum);
    }
    hn::StoreU(sum, d, norms + j);
  }
}

}  // namespace
}  // namespace unmar::patches::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::patches {

HWY_EXPORT(column_distances);
HWY_EXPORT(take_mean);
HWY_EXPORT(difference);
HWY_EXPORT(transpose);
HWY_EXPORT(product);
HWY_EXPORT(factor);
HWY_EXPORT(solve);
HWY_EXPORT(weights_from_inverse);
HWY_EXPORT(norms_of);

void column_distances(const float* a, const float* b, int rows, int ld, int count, float* sums) {
  HWY_DYNAMIC_DISPATCH(column_distances)(a, b, rows, ld, count, sums);
}
void take_mean(float* group, int k, int stride, float* mean) {
  HWY_DYNAMIC_DISPATCH(take_mean)(group, k, stride, mean);
}
Difference difference(const float* a, const float* b, int k, int stride) {
  return HWY_DYNAMIC_DISPATCH(difference)(a, b, k, stride);
}
void transpose(const float* from, int stride, int rows, int columns, float* to, int to_stride) {
  HWY_DYNAMIC_DISPATCH(transpose)(from, stride, rows, columns, to, to_stride);
}
void product(const float* a, int a_stride, const float* b, int b_stride, int k, int n, float* c) {
  HWY_DYNAMIC_DISPATCH(product)(a, a_stride, b, b_stride, k, n, c);
}
void factor(float* a, int stride, int n) { HWY_DYNAMIC_DISPATCH(factor)(a, stride, n); }
void solve(const float* u, int stride, int n, float* x, int x_stride) {
  HWY_DYNAMIC_DISPATCH(solve)(u, stride, n, x, x_stride);
}
void weights_from_inverse(float* v, int k, int stride, float d, float* norms) {
  HWY_DYNAMIC_DISPATCH(weights_from_inverse)(v, k, stride, d, norms);
}
void norms_of(const float* p, const float* y, int n, int k, int stride, float d, float* norms) {
  HWY_DYNAMIC_DISPATCH(norms_of)(p, y, n, k, stride, d, norms);
}

}  // namespace unmar::patches
#endif
