#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// Calls body(c, y, x) for the source of destination channel c, pixel (y, x).
template <class Body>
void with_source(int factor, int c, int y, int x, Body body) {
  body((c * factor + y % factor) * factor + x % factor, y / factor, x / factor);
}

}  // namespace

void forward(const PixelShuffle& op, const Call& call) {
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    with_source(op.factor, c, y, x, [&](int sc, int sy, int sx) {
      call.dst->at(n, c, y, x) = call.src[0]->at(n, sc, sy, sx);
    });
  });
}

void backward(const PixelShuffle& op, const Call& call) {
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    with_source(op.factor, c, y, x, [&](int sc, int sy, int sx) {
      call.d_src[0]->at(n, sc, sy, sx) += call.d_dst->at(n, c, y, x);
    });
  });
}

}  // namespace unmar::ref
