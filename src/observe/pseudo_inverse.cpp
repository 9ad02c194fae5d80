#include <utility>

#include "base/fail.h"
#include "unmar/observe.h"

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
Tensor apply_pseudo_inverse(const Operator& A, const Shape& x_shape, const Tensor& v) {
  if (v.shape() != A.output_shape(x_shape))
    fail(ErrorCode::bad_argument, "apply_pseudo_inverse: {} of a {} picture gives {}, got {}",
         A.describe(), to_string(x_shape), to_string(A.output_shape(x_shape)),
         to_string(v.shape()));
  Tensor x(x_shape), left = v;
  Tensor slope = apply_adjoint(A, x_shape, left), direction = slope;
  double steepness = dot(slope, slope);
  const double enough = steepness * kRelative * kRelative;
  for (int i = 0; i < kIterations && steepness > enough; ++i) {
    const Tensor seen = apply(A, direction);
    const double step = steepness / dot(seen, seen);
    add_scaled(x, step, direction);
    add_scaled(left, -step, seen);
    slope = apply_adjoint(A, x_shape, left);
    const double before = steepness;
    steepness = dot(slope, slope);
    Tensor turned = slope;
    add_scaled(turned, steepness / before, direction);
    direction = std::move(turned);
  }
  return x;
}

}  // namespace unmar
