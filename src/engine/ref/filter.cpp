#include "engine/ref/border.h"
#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// Calls body(sy, sx, tap) for each source pixel under the kernel at dst pixel (y, x).
template <class Body>
void for_taps(const Filter& op, const Shape& src, int y, int x, Body body) {
  const Shape& taps = op.taps->shape();
  for (int i = 0; i < taps.h; ++i) {
    const int sy = source_index(y + i - (taps.h - 1) / 2, src.h, op.border);
    if (sy == kOutside) continue;
    for (int j = 0; j < taps.w; ++j) {
      const int sx = source_index(x + j - (taps.w - 1) / 2, src.w, op.border);
      if (sx != kOutside) body(sy, sx, double{op.taps->at(0, 0, i, j)});
    }
  }
}

}  // namespace

void forward(const Filter& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    double sum = 0;
    for_taps(op, src.shape(), y, x,
             [&](int sy, int sx, double tap) { sum += tap * double{src.at(n, c, sy, sx)}; });
    call.dst->at(n, c, y, x) = static_cast<float>(sum);
  });
}

void backward(const Filter& op, const Call& call) {
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    const double g = call.d_dst->at(n, c, y, x);
    for_taps(op, call.dst->shape(), y, x,
             [&](int sy, int sx, double tap) { call.d_src[0]->at(n, c, sy, sx) += tap * g; });
  });
}

}  // namespace unmar::ref
