#pragma once

#include <vector>

#include "unmar/tensor/tensor.h"

namespace unmar {

/// What Gaussian noise of `sigma` (range 1, 0 or more) leaves of itself in an observation y, by the
/// brightness of the clean pixel: sigma^2, or less near black and white if y keeps to [0,1], so
/// that the noise was clipped.
class NoiseVariance {
 public:
  NoiseVariance(const Tensor& y, double sigma);
  double at(float x) const;  ///< x beyond [0,1] or NaN counts as its nearer end

 private:
  std::vector<double> table_;  ///< from 0 to 1
};

}  // namespace unmar
