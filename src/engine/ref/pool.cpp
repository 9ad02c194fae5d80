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

void forward(const MaxPool& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    const Pixel p = find_max(src, op.factor, n, c, y, x);
    call.dst->at(n, c, y, x) = src.at(n, c, p.y, p.x);
  });
}

void backward(const MaxPool& op, const Call& call) {
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    const Pixel p = find_max(*call.src[0], op.factor, n, c, y, x);
    call.d_src[0]->at(n, c, p.y, p.x) += call.d_dst->at(n, c, y, x);
  });
}

}  // namespace unmar::ref
