#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

struct Pixel {
  int y, x;
};

/// The largest value of a window; of equal ones the first in row-major order.
Pixel find_max(const Tensor& src, int factor, int n, int c, int y, int x) {
  Pixel best{y * factor, x * factor};
  for (int ky = 0; ky < factor; ++ky) {
    for (int kx = 0; kx < factor; ++kx) {
      const Pixel p{y * factor + ky, x * factor + kx};
      if (src.at(n, c, p.y, p.x) > src.at(n, c, best.y, best.x)) best = p;
    }
  }
  return best;
}

}  // namespace

void forward(const Pool& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    if (op.kind == PoolKind::max) {
      const Pixel p = find_max(src, op.factor, n, c, y, x);
      call.dst->at(n, c, y, x) = src.at(n, c, p.y, p.x);
      return;
    }
    double sum = 0;
    for (int ky = 0; ky < op.factor; ++ky)
      for (int kx = 0; kx < op.factor; ++kx)
        sum += src.at(n, c, y * op.factor + ky, x * op.factor + kx);
    call.dst->at(n, c, y, x) = static_cast<float>(sum / (op.factor * op.factor));
  });
}

void backward(const Pool& op, const Call& call) {
  const Tensor& src = *call.src[0];
  Grad& d_src = *call.d_src[0];
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    const double g = call.d_dst->at(n, c, y, x);
    if (op.kind == PoolKind::max) {
      const Pixel p = find_max(src, op.factor, n, c, y, x);
      d_src.at(n, c, p.y, p.x) += g;
      return;
    }
    for (int ky = 0; ky < op.factor; ++ky)
      for (int kx = 0; kx < op.factor; ++kx)
        d_src.at(n, c, y * op.factor + ky, x * op.factor + kx) += g / (op.factor * op.factor);
  });
}

}  // namespace unmar::ref
