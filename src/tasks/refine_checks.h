#pragma once

#include "unmar/tasks/refine.h"

namespace unmar {

// What a refinement needs of its options and its model. All throw Error{bad_argument} or, for the
// picture, Error{bad_input}.
void check_refine_options(Task task, const RefineOptions& given, int timesteps);
void check_noise_known(Task task, const RefineOptions& resolved);
/// A chain begins where the noise drowns the error of what it starts from.
void check_error_known(Task task, const RefineOptions& given, bool has_fit);
/// Of the result's size.
void check_model(const DdpmUnetOptions& unet, int channels, int height, int width);

/// The chain starts from the fit, unless something else is asked for.
RestoreOptions fit_alone(Task task, const RestoreOptions& given);
/// What is not given. restore: resolved.
RefineOptions resolve_refine(Task task, const RefineOptions& given, const RestoreOptions& restore);

}  // namespace unmar
