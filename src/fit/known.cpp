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

void check_like_y(const Tensor& out, const Shape& y, const char* where) {
  if (out.shape() != y)
    fail(ErrorCode::bad_argument,
         "{}: the picture is {} but the observation is {}; this stopper is for operators that keep "
         "the size",
         where, to_string(out.shape()), to_string(y));
}

}  // namespace unmar
