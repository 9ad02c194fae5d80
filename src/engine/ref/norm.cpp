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
  const int pictures = op.kind == NormKind::batch ? s.n / op.parts : 1;
  std::vector<Part> result;
  for (int n = 0; n < s.n; n += pictures)
    for (int c = 0; c < s.c; c += per_part) result.push_back({n, n + pictures, c, c + per_part});
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
  double mean, var;
};

Moments moments(const Tensor& src, const Part& part) {
  const double count = part_count(src.shape(), part);
  double sum = 0;
  for_part(src.shape(), part, [&](int n, int c, int y, int x) { sum += src.at(n, c, y, x); });
  const double mean = sum / count;
  double square = 0;
  for_part(src.shape(), part, [&](int n, int c, int y, int x) {
    const double d = src.at(n, c, y, x) - mean;
    square += d * d;
  });
  return {mean, square / count};
}

/// What the part is normalised with.
struct Scale {
  double mean, inv_std;
};

Scale scale(const Norm& op, const Call& call, const Part& part) {
  const Moments m =
      op.statistics == NormStatistics::fixed
          ? Moments{call.params[2]->at(0, part.c0, 0, 0), call.params[3]->at(0, part.c0, 0, 0)}
          : moments(*call.src[0], part);
  return {m.mean, 1 / std::sqrt(m.var + double{op.eps})};
}

}  // namespace

void forward(const Norm& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for (const Part& part : parts(op, src.shape())) {
    const Scale m = scale(op, call, part);
    for_part(src.shape(), part, [&](int n, int c, int y, int x) {
      const double gamma = call.params[0]->at(0, c, 0, 0), beta = call.params[1]->at(0, c, 0, 0);
      const double normal = (src.at(n, c, y, x) - m.mean) * m.inv_std;
      call.dst->at(n, c, y, x) = static_cast<float>(gamma * normal + beta);
    });
  }
}

/// Mean and variance depend on every element, hence the two sums: with g = gamma * d_dst,
/// d_src = inv_std * (g - mean(g) - normal * mean(g * normal)); inv_std * g where they are fixed.
void backward(const Norm& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for (const Part& part : parts(op, src.shape())) {
    const double count = part_count(src.shape(), part);
    const Scale m = scale(op, call, part);
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
    if (op.statistics == NormStatistics::fixed) sum = sum_normal = 0;
    for_part(src.shape(), part, [&](int n, int c, int y, int x) {
      const double g = call.params[0]->at(0, c, 0, 0) * call.d_dst->at(n, c, y, x);
      call.d_src[0]->at(n, c, y, x) +=
          m.inv_std * (g - sum / count - normal(n, c, y, x) * sum_normal / count);
    });
  }
}

void track(const Norm& op, const Tensor& src, Tensor& mean, Tensor& var) {
  for (const Part& part : parts(op, src.shape())) {
    const Moments m = moments(src, part);
    const double count = part_count(src.shape(), part);
    const auto follow = [&](float& running, double now) {
      running = static_cast<float>(running + double{op.momentum} * (now - running));
    };
    follow(mean.at(0, part.c0, 0, 0), m.mean);
    follow(var.at(0, part.c0, 0, 0), m.var * count / (count - 1));
  }
}

}  // namespace unmar::ref
