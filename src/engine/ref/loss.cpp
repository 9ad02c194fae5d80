#include <algorithm>
#include <cmath>

#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

void set_scalar(const Call& call, double value) {
  call.dst->values()[0] = static_cast<float>(value);
}

/// The mean of per_element(a - b).
template <class F>
void compare(const Call& call, F per_element) {
  const auto a = call.src[0]->values();
  const auto b = call.src[1]->values();
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += per_element(double{a[i]} - double{b[i]});
  set_scalar(call, sum / static_cast<double>(a.size()));
}

template <class F>
void compare_backward(const Call& call, F slope) {
  const auto a = call.src[0]->values();
  const auto b = call.src[1]->values();
  const double g = (*call.d_dst)[0] / static_cast<double>(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = g * slope(double{a[i]} - double{b[i]});
    if (call.d_src[0]) (*call.d_src[0])[i] += d;
    if (call.d_src[1]) (*call.d_src[1])[i] -= d;
  }
}

/// The pixels that have a right and a lower neighbour.
Shape with_neighbours(const Shape& s) { return {s.n, s.c, s.h - 1, s.w - 1}; }

struct Step {
  double dx, dy, square;
};

Step step(const TotalVariation& op, const Tensor& src, int n, int c, int y, int x) {
  const double here = src.at(n, c, y, x);
  const double dx = src.at(n, c, y, x + 1) - here;
  const double dy = src.at(n, c, y + 1, x) - here;
  return {dx, dy, dx * dx + dy * dy + op.eps};
}

}  // namespace

void forward(const Mse&, const Call& call) {
  compare(call, [](double d) { return d * d; });
}

void backward(const Mse&, const Call& call) {
  compare_backward(call, [](double d) { return 2 * d; });
}

void forward(const L1&, const Call& call) {
  compare(call, [](double d) { return std::abs(d); });
}

void backward(const L1&, const Call& call) {
  compare_backward(call, [](double d) { return d > 0 ? 1.0 : d < 0 ? -1.0 : 0.0; });
}

void forward(const BceWithLogits&, const Call& call) {
  const auto a = call.src[0]->values();
  const auto b = call.src[1]->values();
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += std::max(double{a[i]}, 0.0) + std::log1p(std::exp(-std::abs(double{a[i]}))) -
           double{a[i]} * double{b[i]};
  set_scalar(call, sum / static_cast<double>(a.size()));
}

void backward(const BceWithLogits&, const Call& call) {
  const auto a = call.src[0]->values();
  const auto b = call.src[1]->values();
  const double g = (*call.d_dst)[0] / static_cast<double>(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (call.d_src[0])
      (*call.d_src[0])[i] += g * (1 / (1 + std::exp(-double{a[i]})) - double{b[i]});
    if (call.d_src[1]) (*call.d_src[1])[i] -= g * double{a[i]};
  }
}

void forward(const TotalVariation& op, const Call& call) {
  const Tensor& src = *call.src[0];
  const Shape part = with_neighbours(src.shape());
  double sum = 0;
  for_each(part, [&](int n, int c, int y, int x) {
    sum += std::pow(step(op, src, n, c, y, x).square, double{op.beta});
  });
  set_scalar(call, sum / static_cast<double>(part.count()));
}

void backward(const TotalVariation& op, const Call& call) {
  const Tensor& src = *call.src[0];
  Grad& d_src = *call.d_src[0];
  const Shape part = with_neighbours(src.shape());
  const double g = (*call.d_dst)[0] / static_cast<double>(part.count());
  for_each(part, [&](int n, int c, int y, int x) {
    const Step s = step(op, src, n, c, y, x);
    if (s.square == 0) return;  // flat and eps = 0: the kink of beta <= 0.5 counts as level
    const double d = g * op.beta * std::pow(s.square, op.beta - 1.0) * 2;
    d_src.at(n, c, y, x + 1) += d * s.dx;
    d_src.at(n, c, y + 1, x) += d * s.dy;
    d_src.at(n, c, y, x) -= d * (s.dx + s.dy);
  });
}

void forward(const WeightedSum& op, const Call& call) {
  double sum = 0;
  for (std::size_t i = 0; i < op.weights.size(); ++i)
    sum += double{op.weights[i]} * double{call.src[i]->values()[0]};
  set_scalar(call, sum);
}

void backward(const WeightedSum& op, const Call& call) {
  for (std::size_t i = 0; i < op.weights.size(); ++i)
    if (call.d_src[i]) (*call.d_src[i])[0] += op.weights[i] * (*call.d_dst)[0];
}

}  // namespace unmar::ref
