#pragma once

#include "unmar/noise/noise.h"

namespace unmar {

/// known_of_impulses(), but only of those that stand alone: at most two of their neighbours are
/// alike. Edges and lines of black and white are not taken for impulses, and few of many impulses
/// are missed.
Tensor known_of_lone_impulses(const Tensor& y);

}  // namespace unmar
