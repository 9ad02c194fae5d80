#include <algorithm>
#include <cmath>

#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// dst = (1 - t) * src[low] + t * src[high], in one dimension.
struct Blend {
  int low, high;
  double t;
};

Blend blend(const Upsample& op, int dst, int src_size) {
  if (op.kind == UpsampleKind::nearest) return {dst / op.factor, dst / op.factor, 0.0};
  double at = std::max(0.0, (dst + 0.5) / op.factor - 0.5);
  if (op.align_corners) {
    const int dst_size = src_size * op.factor;
    at = dst_size > 1 ? static_cast<double>(dst) * (src_size - 1) / (dst_size - 1) : 0.0;
  }
  const int low = std::min(static_cast<int>(std::floor(at)), src_size - 1);
  return {low, std::min(low + 1, src_size - 1), at - low};
}

/// Calls body(sy, sx, weight) for the sources of dst pixel (y, x).
template <class Body>
void for_sources(const Upsample& op, const Shape& src, int y, int x, Body body) {
  const Blend v = blend(op, y, src.h);
  const Blend h = blend(op, x, src.w);
  body(v.low, h.low, (1 - v.t) * (1 - h.t));
  body(v.low, h.high, (1 - v.t) * h.t);
  body(v.high, h.low, v.t * (1 - h.t));
  body(v.high, h.high, v.t * h.t);
}

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

void forward(const Upsample& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    double sum = 0;
    for_sources(op, src.shape(), y, x,
                [&](int sy, int sx, double weight) { sum += weight * src.at(n, c, sy, sx); });
    call.dst->at(n, c, y, x) = static_cast<float>(sum);
  });
}

void backward(const Upsample& op, const Call& call) {
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    const double g = call.d_dst->at(n, c, y, x);
    for_sources(op, call.src[0]->shape(), y, x, [&](int sy, int sx, double weight) {
      call.d_src[0]->at(n, c, sy, sx) += weight * g;
    });
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
