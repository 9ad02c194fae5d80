#pragma once

#include <functional>
#include <string_view>

#include "unmar/fit/fit.h"

namespace unmar {

/// One fit of several, `run` = 0 for the first; `moment` is the iteration that the first one chose,
/// -1 for that one itself. The state to resume is empty for a new fit.
using FitRun = std::function<FitResult(int run, int moment,
                                       const std::function<void(const FitProgress&)>& on_iteration,
                                       std::string_view resume)>;

/// Does `fit_run` for `runs` fits, told as one long fit: iterations
/// and seconds are counted through. `best` is the mean of the runs that came to their end; a later
/// one that was cancelled is left out. The saved state holds what the runs before gave.
/// resume: such a state, or empty. throws Error{bad_input} if it is damaged or of other fits, and
/// what fit_run throws.
FitResult fit_runs(int runs, const FitRun& fit_run,
                   const std::function<void(const FitProgress&)>& on_iteration,
                   std::string_view resume);

}  // namespace unmar
