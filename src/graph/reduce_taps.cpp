#include "graph/reduce_taps.h"

#include <cmath>
#include <numbers>

#include "base/fail.h"
#include "graph/cubic.h"

namespace unmar {
namespace {

double sinc(double x) {
  const double a = std::numbers::pi * x;
  return std::abs(x) < 1e-12 ? 1.0 : std::sin(a) / a;
}

double lanczos(double x, double support) {
  return std::abs(x) < support ? sinc(x) * sinc(x / support) : 0.0;
}

struct Window {
  double support;  ///< half-width, in destination pixels
  double (*weight)(double);
};

Window window(ReduceKernel kernel) {
  switch (kernel) {
    case ReduceKernel::lanczos2:
      return {2, [](double x) { return lanczos(x, 2); }};
    case ReduceKernel::lanczos3:
      return {3, [](double x) { return lanczos(x, 3); }};
    case ReduceKernel::bicubic:
      return {2, cubic};
    case ReduceKernel::box:
      return {0.5, [](double) { return 1.0; }};
  }
  fail(ErrorCode::bad_argument, "reduce: unknown kernel {}", static_cast<int>(kernel));
}

}  // namespace

ReduceTaps reduce_taps(ReduceKernel kernel, int factor) {
  const Window w = window(kernel);
  // Destination pixel 0 has its centre at source coordinate (factor - 1) / 2. The taps are the
  // source pixels closer to it than support * factor; there are 2 * support * factor of them, or
  // one less if that centre is on a pixel.
  const double centre = (factor - 1) / 2.0;
  const double reach = w.support * factor;
  const int first = static_cast<int>(std::floor(centre - reach)) + 1;
  const int last = static_cast<int>(std::ceil(centre + reach)) - 1;
  ReduceTaps result{first, {}};
  double sum = 0;
  for (int i = first; i <= last; ++i) sum += w.weight((i - centre) / factor);
  for (int i = first; i <= last; ++i)
    result.taps.push_back(static_cast<float>(w.weight((i - centre) / factor) / sum));
  return result;
}

}  // namespace unmar
