#include "engine/ref/border.h"
#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// Calls body(in_c, ky, kx, sy, sx) for each source pixel under the kernel at dst pixel (y, x).
template <class Body>
void for_window(const Conv2d& op, const Shape& src, int y, int x, Body body) {
  const int pad = pad_begin(op);
  for (int c = 0; c < src.c; ++c) {
    for (int ky = 0; ky < op.kernel; ++ky) {
      const int sy = source_index(y * op.stride + ky - pad, src.h, op.border);
      if (sy == kOutside) continue;
      for (int kx = 0; kx < op.kernel; ++kx) {
        const int sx = source_index(x * op.stride + kx - pad, src.w, op.border);
        if (sx != kOutside) body(c, ky, kx, sy, sx);
      }
    }
  }
}

/// Calls body(in_c, ky, kx, sy, sx) for each source pixel that adds to dst pixel (y, x).
template <class Body>
void for_reaching(const ConvTranspose2d& op, const Shape& src, int y, int x, Body body) {
  const int kernel = kernel_of(op);
  for (int ky = 0; ky < kernel; ++ky) {
    const int row = y + op.padding - ky, sy = row / op.stride;
    if (row < 0 || row % op.stride != 0 || sy >= src.h) continue;
    for (int kx = 0; kx < kernel; ++kx) {
      const int column = x + op.padding - kx, sx = column / op.stride;
      if (column < 0 || column % op.stride != 0 || sx >= src.w) continue;
      for (int c = 0; c < src.c; ++c) body(c, ky, kx, sy, sx);
    }
  }
}

}  // namespace

void forward(const Conv2d& op, const Call& call) {
  const Tensor& src = *call.src[0];
  const Tensor& weight = *call.params[0];
  for_each(call.dst->shape(), [&](int n, int o, int y, int x) {
    double sum = op.bias ? call.params[1]->at(0, o, 0, 0) : 0.0;
    for_window(op, src.shape(), y, x, [&](int c, int ky, int kx, int sy, int sx) {
      sum += double{weight.at(o, c, ky, kx)} * double{src.at(n, c, sy, sx)};
    });
    call.dst->at(n, o, y, x) = static_cast<float>(sum);
  });
}

void backward(const Conv2d& op, const Call& call) {
  const Tensor& src = *call.src[0];
  const Tensor& weight = *call.params[0];
  for_each(call.dst->shape(), [&](int n, int o, int y, int x) {
    const double g = call.d_dst->at(n, o, y, x);
    if (op.bias && call.d_params[1]) call.d_params[1]->at(0, o, 0, 0) += g;
    for_window(op, src.shape(), y, x, [&](int c, int ky, int kx, int sy, int sx) {
      if (call.d_params[0]) call.d_params[0]->at(o, c, ky, kx) += g * double{src.at(n, c, sy, sx)};
      if (call.d_src[0]) call.d_src[0]->at(n, c, sy, sx) += g * double{weight.at(o, c, ky, kx)};
    });
  });
}

void forward(const ConvTranspose2d& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for_each(call.dst->shape(), [&](int n, int o, int y, int x) {
    double sum = op.bias ? call.params[1]->at(0, o, 0, 0) : 0.0;
    for_reaching(op, src.shape(), y, x, [&](int c, int ky, int kx, int sy, int sx) {
      sum += double{call.params[0]->at(c, o, ky, kx)} * double{src.at(n, c, sy, sx)};
    });
    call.dst->at(n, o, y, x) = static_cast<float>(sum);
  });
}

void backward(const ConvTranspose2d& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for_each(call.dst->shape(), [&](int n, int o, int y, int x) {
    const double g = call.d_dst->at(n, o, y, x);
    if (op.bias && call.d_params[1]) call.d_params[1]->at(0, o, 0, 0) += g;
    for_reaching(op, src.shape(), y, x, [&](int c, int ky, int kx, int sy, int sx) {
      if (call.d_params[0]) call.d_params[0]->at(c, o, ky, kx) += g * double{src.at(n, c, sy, sx)};
      if (call.d_src[0])
        call.d_src[0]->at(n, c, sy, sx) += g * double{call.params[0]->at(c, o, ky, kx)};
    });
  });
}

}  // namespace unmar::ref
