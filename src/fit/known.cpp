#include "fit/known.h"

#include <algorithm>

#include "base/fail.h"

namespace unmar {

void check_known(const Shape& y, const Tensor& known, const char* where) {
  if (known.empty()) return;
  if (known.shape() != y)
    fail(ErrorCode::bad_argument, "{}: what is known is given as {}, but the observation is {}",
         where, to_string(known.shape()), to_string(y));
  if (std::none_of(known.values().begin(), known.values().end(), [](float v) { return v > 0.f; }))
    fail(ErrorCode::bad_argument, "{}: no value of the observation is known", where);
}

void check_like_y(const Tensor& Ax, const Shape& y, const char* where) {
  if (Ax.shape() != y)
    fail(ErrorCode::bad_argument,
         "{}: the prediction A x is {} but the observation is {}; give the stopper the observation "
         "of the problem",
         where, to_string(Ax.shape()), to_string(y));
}

}  // namespace unmar
