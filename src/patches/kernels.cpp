#include "patches/kernels.h"

#include <algorithm>
#include <cstddef>

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

/// c[r][j] = sum over p of left(p, r) * right[p][j] for four rows r and all columns j.
template <class Left>
HWY_INLINE void four_rows(const Left& left, const float* right, int count, int stride, float* c) {
  const D d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int j = 0; j < stride; j += 2 * lanes) {
    const bool two = j + lanes < stride;
    const int second = two ? lanes : 0;
    V a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (int p = 0; p < count; ++p) {
      const float* row = right + static_cast<std::ptrdiff_t>(p) * stride + j;
      const V x = hn::LoadU(d, row), y = hn::LoadU(d, row + second);
      const V l0 = hn::Set(d, left(p, 0)), l1 = hn::Set(d, left(p, 1));
      const V l2 = hn::Set(d, left(p, 2)), l3 = hn::Set(d, left(p, 3));
      a0 = hn::MulAdd(l0, x, a0), b0 = hn::MulAdd(l0, y, b0);
      a1 = hn::MulAdd(l1, x, a1), b1 = hn::MulAdd(l1, y, b1);
      a2 = hn::MulAdd(l2, x, a2), b2 = hn::MulAdd(l2, y, b2);
      a3 = hn::MulAdd(l3, x, a3), b3 = hn::MulAdd(l3, y, b3);
    }
    float* to = c + j;
    hn::StoreU(a0, d, to), hn::StoreU(b0, d, to + second);
    hn::StoreU(a1, d, to + stride), hn::StoreU(b1, d, to + stride + second);
    hn::StoreU(a2, d, to + 2 * stride), hn::StoreU(b2, d, to + 2 * stride + second);
    hn::StoreU(a3, d, to + 3 * stride), hn::StoreU(b3, d, to + 3 * stride + second);
  }
}

void gram(const float* x, int n, int stride, float* q) {
  for (int i = 0; i < stride; i += 4)
    four_rows([&](int p, int r) HWY_ATTR { return x[p * stride + i + r]; }, x, n, stride,
              q + i * stride);
}

void combine(const float* z, const float* theta_transposed, int n, int k, int stride, float* out) {
  int p = 0;
  for (; p + 4 <= n; p += 4) {
    const float* rows = z + p * stride;
    four_rows([&](int i, int r) HWY_ATTR { return rows[r * stride + i]; }, theta_transposed, k,
              stride, out + p * stride);
  }
  const D d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (; p < n; ++p)
    for (int j = 0; j < stride; j += lanes) {
      V sum = hn::Zero(d);
      for (int i = 0; i < k; ++i)
        sum = hn::MulAdd(hn::Set(d, z[p * stride + i]),
                         hn::LoadU(d, theta_transposed + i * stride + j), sum);
      hn::StoreU(sum, d, out + p * stride + j);
    }
}

constexpr int kBlock = 4;

/// Inverse of a 4 x 4 block, in double: the pivots of all that follows.
HWY_INLINE void invert_block(const float* a, int stride, double (&m)[kBlock][kBlock]) {
  for (int r = 0; r < kBlock; ++r)
    for (int c = 0; c < kBlock; ++c) m[r][c] = static_cast<double>(a[r * stride + c]);
  for (int p = 0; p < kBlock; ++p) {
    const double pivot = 1 / m[p][p];
    m[p][p] = 1;
    for (int c = 0; c < kBlock; ++c) m[p][c] *= pivot;
    for (int r = 0; r < kBlock; ++r) {
      if (r == p) continue;
      const double factor = m[r][p];
      m[r][p] = 0;
      for (int c = 0; c < kBlock; ++c) m[r][c] -= factor * m[p][c];
    }
  }
}

/// Gauss-Jordan, four pivots at a time. Positive definite, so no pivot has to be looked for.
void invert(float* a, int stride) {
  const D d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int first = 0; first < stride; first += kBlock) {
    float* pivots = a + first * stride;
    double inverse[kBlock][kBlock];
    invert_block(pivots + first, stride, inverse);
    for (int r = 0; r < kBlock; ++r)
      for (int c = 0; c < kBlock; ++c) pivots[r * stride + first + c] = r == c ? 1.f : 0.f;
    const auto entry = [&](int r, int c)
                           HWY_ATTR { return hn::Set(d, static_cast<float>(inverse[r][c])); };
    for (int j = 0; j < stride; j += lanes) {
      float* at = pivots + j;
      const V r0 = hn::LoadU(d, at), r1 = hn::LoadU(d, at + stride);
      const V r2 = hn::LoadU(d, at + 2 * stride), r3 = hn::LoadU(d, at + 3 * stride);
      for (int r = 0; r < kBlock; ++r) {
        V sum = hn::Mul(entry(r, 0), r0);
        sum = hn::MulAdd(entry(r, 1), r1, sum);
        sum = hn::MulAdd(entry(r, 2), r2, sum);
        sum = hn::MulAdd(entry(r, 3), r3, sum);
        hn::StoreU(sum, d, at + r * stride);
      }
    }
    const auto eliminate = [&](int row) HWY_ATTR {
      float* target = a + row * stride;
      const V c0 = hn::Set(d, target[first]), c1 = hn::Set(d, target[first + 1]);
      const V c2 = hn::Set(d, target[first + 2]), c3 = hn::Set(d, target[first + 3]);
      for (int c = 0; c < kBlock; ++c) target[first + c] = 0.f;
      for (int j = 0; j < stride; j += lanes) {
        const float* at = pivots + j;
        V value = hn::LoadU(d, target + j);
        value = hn::NegMulAdd(c0, hn::LoadU(d, at), value);
        value = hn::NegMulAdd(c1, hn::LoadU(d, at + stride), value);
        value = hn::NegMulAdd(c2, hn::LoadU(d, at + 2 * stride), value);
        value = hn::NegMulAdd(c3, hn::LoadU(d, at + 3 * stride), value);
        hn::StoreU(value, d, target + j);
      }
    };
    for (int row = 0; row < first; ++row) eliminate(row);
    for (int row = first + kBlock; row < stride; ++row) eliminate(row);
  }
}

void weights_from_inverse(float* v, int k, int stride, const float* variances, float* norms) {
  const D d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  float u[1024];
  for (int j = 0; j < stride; j += lanes) {
    V sum = hn::Zero(d);
    for (int i = 0; i < k; ++i) sum = hn::Add(sum, hn::LoadU(d, v + i * stride + j));
    hn::StoreU(sum, d, u + j);
    hn::StoreU(hn::Zero(d), d, norms + j);
  }
  double total = 0;
  for (int i = 0; i < k; ++i) total += static_cast<double>(u[i]);
  for (int i = 0; i < k; ++i) {
    float* row = v + i * stride;
    const V share = hn::Set(d, static_cast<float>(static_cast<double>(u[i]) / total));
    for (int j = 0; j < stride; j += lanes) {
      const V centred = hn::NegMulAdd(share, hn::LoadU(d, u + j), hn::LoadU(d, row + j));
      hn::StoreU(hn::Neg(hn::Mul(centred, hn::LoadU(d, variances + j))), d, row + j);
    }
    row[i] += 1.f;
    for (int j = 0; j < stride; j += lanes) {
      const V weight = hn::LoadU(d, row + j);
      hn::StoreU(hn::MulAdd(weight, weight, hn::LoadU(d, norms + j)), d, norms + j);
    }
  }
}

}  // namespace
}  // namespace unmar::patches::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::patches {

HWY_EXPORT(column_distances);
HWY_EXPORT(gram);
HWY_EXPORT(invert);
HWY_EXPORT(weights_from_inverse);
HWY_EXPORT(combine);

void column_distances(const float* a, const float* b, int rows, int ld, int count, float* sums) {
  HWY_DYNAMIC_DISPATCH(column_distances)(a, b, rows, ld, count, sums);
}
void gram(const float* x, int n, int stride, float* q) {
  HWY_DYNAMIC_DISPATCH(gram)(x, n, stride, q);
}
void invert(float* a, int stride) { HWY_DYNAMIC_DISPATCH(invert)(a, stride); }
void weights_from_inverse(float* v, int k, int stride, const float* d, float* norms) {
  HWY_DYNAMIC_DISPATCH(weights_from_inverse)(v, k, stride, d, norms);
}
void combine(const float* z, const float* theta_transposed, int n, int k, int stride, float* out) {
  HWY_DYNAMIC_DISPATCH(combine)(z, theta_transposed, n, k, stride, out);
}

}  // namespace unmar::patches
#endif
