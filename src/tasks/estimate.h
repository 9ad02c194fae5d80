#pragma once

#include "tasks/plan.h"
#include "unmar/tasks/refine.h"

namespace unmar {

/// throws Error{bad_argument} for a task whose results cannot be refined.
void require_refines(Task task);

/// As generate_prior() says; fit: of the prior, null if that came from elsewhere.
/// throws Error{bad_argument} if it cannot be estimated.
ErrorEstimate estimate_error(Task task, const Plan& plan, const RestoreOptions& resolved,
                             const Image& prior, const FitResult* fit);

// Of each task; see generate_prior().
ErrorEstimate error_of_noise(const Plan& plan, const RestoreOptions& resolved, const Image& prior,
                             const FitResult* fit);
ErrorEstimate error_at_hidden(const Plan& plan, const RestoreOptions& resolved, const Image& prior,
                              const FitResult* fit);
ErrorEstimate error_of_octaves(const Plan& plan, const RestoreOptions& resolved, const Image& prior,
                               const FitResult* fit);

}  // namespace unmar
