#pragma once

#include "unmar/noise/noise.h"

namespace unmar {

/// Takes the noise for Poisson if its variance follows a line over the brightness better than a
/// constant, or if that is known. noise.sigma: what white noise would have.
void look_for_poisson(const Tensor& y, NoiseModel& noise, bool known);

}  // namespace unmar
