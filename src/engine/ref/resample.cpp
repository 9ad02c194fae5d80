#include <algorithm>
#include <cmath>

#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

template <class Body>
void for_sources(const ReduceTaps& taps, int factor, const Shape& src, int y, int x, Body body) {
  const int count = static_cast<int>(taps.taps.size());
  const auto tap = [&](int k) { return double{taps.taps[static_cast<std::size_t>(k)]}; };
  for (int ky = 0; ky < count; ++ky) {
    const int sy = std::clamp(y * factor + taps.first + ky, 0, src.h - 1);
    for (int kx = 0; kx < count; ++kx) {
      const int sx = std::clamp(x * factor + taps.first + kx, 0, src.w - 1);
      body(sy, sx, tap(ky) * tap(kx));
    }
  }
}

}  // namespace

namespace {

/// Calls body(n, c, y, x, sy, sx, weight) for each destination element and each of its sources.
template <class Body>
void for_taps(const Resize& op, const Shape& src, const Shape& dst, Body body) {
  const auto rows = resize_taps(op, src.h, dst.h);
  const auto cols = resize_taps(op, src.w, dst.w);
  for_each(dst, [&](int n, int c, int y, int x) {
    for (const Tap& v : rows[static_cast<std::size_t>(y)])
      for (const Tap& h : cols[static_cast<std::size_t>(x)])
        body(n, c, y, x, v.index, h.index, double{v.weight} * double{h.weight});
  });
}

}  // namespace

void forward(const Resize& op, const Call& call) {
  const Tensor& src = *call.src[0];
  Grad sum(call.dst->shape());
  for_taps(op, src.shape(), call.dst->shape(),
           [&](int n, int c, int y, int x, int sy, int sx, double weight) {
             sum.at(n, c, y, x) += weight * src.at(n, c, sy, sx);
           });
  sum.copy_to(*call.dst);
}

void backward(const Resize& op, const Call& call) {
  for_taps(op, call.src[0]->shape(), call.dst->shape(),
           [&](int n, int c, int y, int x, int sy, int sx, double weight) {
             call.d_src[0]->at(n, c, sy, sx) += weight * call.d_dst->at(n, c, y, x);
           });
}

void forward(const Reduce& op, const Call& call) {
  const Tensor& src = *call.src[0];
  const ReduceTaps taps = reduce_taps(op);
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    double sum = 0;
    for_sources(taps, op.factor, src.shape(), y, x,
                [&](int sy, int sx, double weight) { sum += weight * src.at(n, c, sy, sx); });
    call.dst->at(n, c, y, x) = static_cast<float>(sum);
  });
}

void backward(const Reduce& op, const Call& call) {
  const ReduceTaps taps = reduce_taps(op);
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    const double g = call.d_dst->at(n, c, y, x);
    for_sources(taps, op.factor, call.src[0]->shape(), y, x, [&](int sy, int sx, double weight) {
      call.d_src[0]->at(n, c, sy, sx) += weight * g;
    });
  });
}

}  // namespace unmar::ref
