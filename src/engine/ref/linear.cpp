#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// Calls body(index, weight) for the sources of destination i.
template <class Body>
void for_taps(const LinearMap& map, int i, Body body) {
  const auto at = static_cast<std::size_t>(i);
  for (auto k = static_cast<std::size_t>(map.begin[at]);
       k < static_cast<std::size_t>(map.begin[at + 1]); ++k)
    body(map.index[k], double{map.weight[k]});
}

/// Calls body(sy, sx, weight) for the sources of pixel (y, x).
template <class Body>
void for_sources(const Linear& op, int y, int x, Body body) {
  for_taps(*op.rows, y, [&](int sy, double row) {
    for_taps(*op.cols, x, [&](int sx, double col) { body(sy, sx, row * col); });
  });
}

}  // namespace

void forward(const Linear& op, const Call& call) {
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    double sum = 0;
    for_sources(op, y, x, [&](int sy, int sx, double weight) {
      sum += weight * call.src[0]->at(n, c, sy, sx);
    });
    call.dst->at(n, c, y, x) = static_cast<float>(sum);
  });
}

void backward(const Linear& op, const Call& call) {
  for_each(call.dst->shape(), [&](int n, int c, int y, int x) {
    const double g = call.d_dst->at(n, c, y, x);
    for_sources(op, y, x, [&](int sy, int sx, double weight) {
      call.d_src[0]->at(n, c, sy, sx) += weight * g;
    });
  });
}

}  // namespace unmar::ref
