#include <utility>

#include "unmar/observe/observe.h"

namespace unmar {
namespace {

constexpr int kIterations = 100;
constexpr double kRelative = 1e-6;  // to the first gradient; floats do not get much better

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    sum += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
  return sum;
}

void add_scaled(Tensor& to, double scale, const Tensor& what) {
  for (std::size_t i = 0; i < to.count(); ++i)
    to.data()[i] = static_cast<float>(static_cast<double>(to.data()[i]) +
                                      scale * static_cast<double>(what.data()[i]));
}

}  // namespace

// Conjugate gradients on A^T A x = A^T v from x = 0: each x lies in the row space of A, so the
// limit is the shortest of the best. One iteration does where A A^T is a multiple of 1, as for
// binary masks and averages.
Tensor CompiledOperator::apply_pseudo_inverse(const Tensor& v) {
  Tensor x(x_shape()), left = v;
  Tensor slope = apply_adjoint(left), direction = slope;
  double steepness = dot(slope, slope);
  const double enough = steepness * kRelative * kRelative;
  for (int i = 0; i < kIterations && steepness > enough; ++i) {
    const Tensor seen = apply(direction);
    const double step = steepness / dot(seen, seen);
    add_scaled(x, step, direction);
    add_scaled(left, -step, seen);
    slope = apply_adjoint(left);
    const double before = steepness;
    steepness = dot(slope, slope);
    Tensor turned = slope;
    add_scaled(turned, steepness / before, direction);
    direction = std::move(turned);
  }
  return x;
}

}  // namespace unmar
