#pragma once

#include "unmar/fit/stages.h"

namespace unmar {

/// throws Error{bad_argument} for options out of range.
void check_stages(const StageOptions& options, const char* where);
/// From 0 to stages - 1; fits that are longer stay in the last.
int stage_at(const StageOptions& options, int iteration);

}  // namespace unmar
