#include "fit/valley.h"

#include "base/fail.h"

namespace unmar {

Valley::Valley(int patience, int min_start, const char* where)
    : patience_(patience), min_start_(min_start) {
  if (patience < 1)
    fail(ErrorCode::bad_argument, "{}: patience must be at least 1, got {}", where, patience);
  if (min_start < 0)
    fail(ErrorCode::bad_argument, "{}: min_start must be 0 or more, got {}", where, min_start);
}

Stopper::Verdict Valley::observe(int iteration, double value) {
  if (ended_ || iteration < min_start_) return idle();
  if (!found_ || value < lowest_) {
    found_ = true;
    lowest_ = value;
    waited_ = 0;
    return {true, false};
  }
  // Counted in values, not iterations: a fit that was rolled back gets its patience in full.
  ended_ = ++waited_ >= patience_;
  return idle();
}

}  // namespace unmar
