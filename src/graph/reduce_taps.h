#pragma once

#include <vector>

#include "unmar/graph/linear.h"

namespace unmar {

/// The taps of one dimension of Linear::reduce: dst[i] = sum over k of taps[k] * src[i * factor +
/// first + k], indices clamped to the source. They sum to 1.
struct ReduceTaps {
  int first = 0;
  std::vector<float> taps;
};
ReduceTaps reduce_taps(ReduceKernel kernel, int factor);

}  // namespace unmar
