#pragma once

namespace unmar {

/// Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, with a = -0.5.
inline double cubic(double x) {
  x = x < 0 ? -x : x;
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

}  // namespace unmar
