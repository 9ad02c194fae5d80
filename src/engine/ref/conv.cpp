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
    for (int c = 0; c < src.shape().c; ++c)
      sum += double{call.params[0]->at(c, o, y % op.stride, x % op.stride)} *
             double{src.at(n, c, y / op.stride, x / op.stride)};
    call.dst->at(n, o, y, x) = static_cast<float>(sum);
  });
}

void backward(const ConvTranspose2d& op, const Call& call) {
  const Tensor& src = *call.src[0];
  const int s = op.stride;
  for_each(call.dst->shape(), [&](int n, int o, int y, int x) {
    const double g = call.d_dst->at(n, o, y, x);
    if (op.bias && call.d_params[1]) call.d_params[1]->at(0, o, 0, 0) += g;
    for (int c = 0; c < src.shape().c; ++c) {
      if (call.d_params[0])
        call.d_params[0]->at(c, o, y % s, x % s) += g * double{src.at(n, c, y / s, x / s)};
      if (call.d_src[0])
        call.d_src[0]->at(n, c, y / s, x / s) += g * double{call.params[0]->at(c, o, y % s, x % s)};
    }
  });
}

}  // namespace unmar::ref
