#include <cmath>

#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// The elements that share one mean and variance: pictures [n0, n1), channels [c0, c1).
struct Part {
  int n0, n1, c0, c1;
};

std::vector<Part> parts(const Norm& op, const Shape& s) {
  const int per_part = op.kind == NormKind::group ? s.c / op.groups : 1;
  std::vector<Part> result;
  for (int n = 0; n < (op.kind == NormKind::batch ? 1 : s.n); ++n)
    for (int c = 0; c < s.c; c += per_part)
      result.push_back({n, op.kind == NormKind::batch ? s.n : n + 1, c, c + per_part});
  return result;
}

/// Calls body(n, c, y, x) for each element of the part.
template <class Body>
void for_part(const Shape& shape, const Part& p, Body body) {
  for_each({p.n1 - p.n0, p.c1 - p.c0, shape.h, shape.w},
           [&](int n, int c, int y, int x) { body(p.n0 + n, p.c0 + c, y, x); });
}

double part_count(const Shape& s, const Part& p) {
  return static_cast<double>(p.n1 - p.n0) * (p.c1 - p.c0) * s.h * s.w;
}

struct Moments {
  double mean, inv_std;
};

Moments moments(const Norm& op, const Tensor& src, const Part& part) {
  const double count = part_count(src.shape(), part);
  double sum = 0;
  for_part(src.shape(), part, [&](int n, int c, int y, int x) { sum += src.at(n, c, y, x); });
  const double mean = sum / count;
  double square = 0;
  for_part(src.shape(), part, [&](int n, int c, int y, int x) {
    const double d = src.at(n, c, y, x) - mean;
    square += d * d;
  });
  return {mean, 1 / std::sqrt(square / count + double{op.eps})};
}

}  // namespace

void forward(const Norm& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for (const Part& part : parts(op, src.shape())) {
    const Moments m = moments(op, src, part);
    for_part(src.shape(), part, [&](int n, int c, int y, int x) {
      const double gamma = call.params[0]->at(0, c, 0, 0), beta = call.params[1]->at(0, c, 0, 0);
      const double normal = (src.at(n, c, y, x) - m.mean) * m.inv_std;
      call.dst->at(n, c, y, x) = static_cast<float>(gamma * normal + beta);
    });
  }
}

/// Mean and variance depend on every element, hence the two sums: with g = gamma * d_dst,
/// d_src = inv_std * (g - mean(g) - normal * mean(g * normal)).
void backward(const Norm& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for (const Part& part : parts(op, src.shape())) {
    const double count = part_count(src.shape(), part);
    const Moments m = moments(op, src, part);
    const auto normal = [&](int n, int c, int y, int x) {
      return (src.at(n, c, y, x) - m.mean) * m.inv_std;
    };
    double sum = 0, sum_normal = 0;
    for_part(src.shape(), part, [&](int n, int c, int y, int x) {
      const double d = call.d_dst->at(n, c, y, x), u = normal(n, c, y, x);
      const double g = call.params[0]->at(0, c, 0, 0) * d;
      sum += g;
      sum_normal += g * u;
      if (call.d_params[0]) call.d_params[0]->at(0, c, 0, 0) += d * u;
      if (call.d_params[1]) call.d_params[1]->at(0, c, 0, 0) += d;
    });
    if (!call.d_src[0]) continue;
    for_part(src.shape(), part, [&](int n, int c, int y, int x) {
      const double g = call.params[0]->at(0, c, 0, 0) * call.d_dst->at(n, c, y, x);
      call.d_src[0]->at(n, c, y, x) +=
          m.inv_std * (g - sum / count - normal(n, c, y, x) * sum_normal / count);
    });
  }
}

}  // namespace unmar::ref
