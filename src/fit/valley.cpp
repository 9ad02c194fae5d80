#include "fit/valley.h"

#include "base/fail.h"

namespace unmar {

Valley::Valley(const VarianceOptions& options, const char* where)
    : patience_(options.patience), min_start_(options.min_start) {
  if (options.patience < 1)
    fail(ErrorCode::bad_argument, "{}: patience must be at least 1, got {}", where,
         options.patience);
  if (options.min_start < 0)
    fail(ErrorCode::bad_argument, "{}: min_start must be 0 or more, got {}", where,
         options.min_start);
  if (options.max_samples < 1)
    fail(ErrorCode::bad_argument, "{}: max_samples must be at least 1, got {}", where,
         options.max_samples);
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
