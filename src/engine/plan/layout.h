#pragma once

#include <algorithm>

#include "engine/plan/buffers.h"
#include "unmar/tensor/tensor.h"

/// Between the documents' NCHW and the engine's channels-last order.
namespace unmar {

inline void to_channels_last(TensorView src, const View& dst) {
  const float* from = src.data;
  for (int n = 0; n < dst.n; ++n)
    for (int c = 0; c < dst.c; ++c)
      for (int y = 0; y < dst.h; ++y) {
        float* row = dst.row(n * dst.h + y) + c;
        for (int x = 0; x < dst.w; ++x) row[x * dst.ld] = *from++;
      }
}

/// dst += src
inline void add_channels_last(TensorView src, const View& dst) {
  const float* from = src.data;
  for (int n = 0; n < dst.n; ++n)
    for (int c = 0; c < dst.c; ++c)
      for (int y = 0; y < dst.h; ++y) {
        float* row = dst.row(n * dst.h + y) + c;
        for (int x = 0; x < dst.w; ++x) row[x * dst.ld] += *from++;
      }
}

inline void from_channels_last(const View& src, Tensor& dst) {
  const Shape shape{src.n, src.c, src.h, src.w};
  if (dst.shape() != shape) dst = Tensor(shape);
  float* to = dst.data();
  for (int n = 0; n < src.n; ++n)
    for (int c = 0; c < src.c; ++c)
      for (int y = 0; y < src.h; ++y) {
        const float* row = src.row(n * src.h + y) + c;
        for (int x = 0; x < src.w; ++x) *to++ = row[x * src.ld];
      }
}

/// dst [cols][rows] = src [rows][cols], whose rows are `ld` floats apart.
inline void transpose(const float* src, std::ptrdiff_t ld, int rows, int cols, float* dst) {
  constexpr int kBlock = 16;  // a cache line of each at a time
  for (int left = 0; left < cols; left += kBlock)
    for (int top = 0; top < rows; top += kBlock)
      for (int col = left; col < std::min(left + kBlock, cols); ++col)
        for (int row = top; row < std::min(top + kBlock, rows); ++row)
          dst[static_cast<std::ptrdiff_t>(col) * rows + row] = src[row * ld + col];
}

/// Convolution weights [out][in][taps] <-> [taps][in][out].
inline void weights_to_engine(const Tensor& src, float* dst) {
  const Shape& s = src.shape();
  const int taps = s.h * s.w;
  for (int o = 0; o < s.n; ++o)
    for (int i = 0; i < s.c; ++i)
      for (int t = 0; t < taps; ++t)
        dst[(static_cast<std::ptrdiff_t>(t) * s.c + i) * s.n + o] =
            src.data()[(static_cast<std::ptrdiff_t>(o) * s.c + i) * taps + t];
}

inline void weights_from_engine(const float* src, Tensor& dst) {
  const Shape& s = dst.shape();
  const int taps = s.h * s.w;
  for (int o = 0; o < s.n; ++o)
    for (int i = 0; i < s.c; ++i)
      for (int t = 0; t < taps; ++t)
        dst.data()[(static_cast<std::ptrdiff_t>(o) * s.c + i) * taps + t] =
            src[(static_cast<std::ptrdiff_t>(t) * s.c + i) * s.n + o];
}

}  // namespace unmar
