#pragma once

#include <memory>

#include "unmar/fit/fit.h"
#include "unmar/gan/model.h"

namespace unmar {

/// A trained generator instead of an untrained network: z [1,latent,1,1] -> picture in [0,1], its
/// centre if the picture to restore is smaller. `own_input` becomes the z of the first start.
/// throws Error{bad_argument} if there is no model; the network throws Error{bad_input} for a
/// picture that is larger than the model's or has other channels.
void take_generator(ProblemOptions& problem, const std::shared_ptr<const GanModel>& model);

}  // namespace unmar
