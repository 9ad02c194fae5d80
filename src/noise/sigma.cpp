#include <algorithm>
#include <cmath>
#include <vector>

#include "unmar/noise/noise.h"

namespace unmar {

double estimate_sigma(const Tensor& y) {
  constexpr double kMedianOfGaussian = 0.6745;
  const Shape& s = y.shape();
  std::vector<float> details;
  for (int n = 0; n < s.n; ++n)
    for (int c = 0; c < s.c; ++c)
      for (int v = 0; v + 1 < s.h; v += 2)
        for (int u = 0; u + 1 < s.w; u += 2)
          details.push_back(std::abs(y.at(n, c, v, u) - y.at(n, c, v, u + 1) -
                                     y.at(n, c, v + 1, u) + y.at(n, c, v + 1, u + 1)) /
                            2);
  if (details.empty()) return 0;
  const auto middle = details.begin() + static_cast<std::ptrdiff_t>(details.size() / 2);
  std::nth_element(details.begin(), middle, details.end());
  return static_cast<double>(*middle) / kMedianOfGaussian;
}

}  // namespace unmar
