#include <algorithm>
#include <cmath>
#include <vector>

#include "base/fail.h"
#include "noise/impulses.h"

namespace unmar {
namespace {

float median(std::vector<float>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Median of the neighbours at most `radius` away for which counts(y, x) holds; none: NaN.
template <class Counts>
float median_around(const Tensor& t, int c, int y, int x, int radius, std::vector<float>& values,
                    const Counts& counts) {
  const Shape& s = t.shape();
  values.clear();
  for (int v = std::max(0, y - radius); v <= std::min(s.h - 1, y + radius); ++v)
    for (int u = std::max(0, x - radius); u <= std::min(s.w - 1, x + radius); ++u)
      if ((v != y || u != x) && counts(v, u)) values.push_back(t.at(0, c, v, u));
  return values.empty() ? NAN : median(values);
}

bool extreme(float v) { return v <= 0.f || v >= 1.f; }

int alike_around(const Tensor& t, int c, int y, int x, float far) {
  const Shape& s = t.shape();
  int count = -1;  // itself
  for (int v = std::max(0, y - 1); v <= std::min(s.h - 1, y + 1); ++v)
    for (int u = std::max(0, x - 1); u <= std::min(s.w - 1, x + 1); ++u)
      count += std::abs(t.at(0, c, v, u) - t.at(0, c, y, x)) <= far ? 1 : 0;
  return count;
}

/// 0 for black and white values far from the median of their neighbours of which at most
/// `most_alike` are near them.
Tensor known_of(const Tensor& y, int most_alike) {
  // What differs so much from its surroundings is no noise of the other values.
  constexpr float kSigmas = 4.f, kLeast = 0.1f, kMedianOfGaussian = 0.6745f;
  const Shape& s = y.shape();
  Tensor known(s, 1.f);
  std::vector<float> values, deviations;
  constexpr double kEnough = 200'000;  // pixels, for a median
  const int step =
      std::max(1, static_cast<int>(std::sqrt(static_cast<double>(s.h) * s.w / kEnough)));
  const auto any = [](int, int) { return true; };
  for (int c = 0; c < s.c; ++c) {
    deviations.clear();
    for (int v = 0; v < s.h; v += step)
      for (int u = 0; u < s.w; u += step)
        if (!extreme(y.at(0, c, v, u)))
          deviations.push_back(
              std::abs(y.at(0, c, v, u) - median_around(y, c, v, u, 1, values, any)));
    const float sigma = deviations.empty() ? 0.f : median(deviations) / kMedianOfGaussian;
    const float far = std::max(kLeast, kSigmas * sigma);
    for (int v = 0; v < s.h; ++v)
      for (int u = 0; u < s.w; ++u) {
        if (!extreme(y.at(0, c, v, u))) continue;
        const auto between = [&](int a, int b) { return !extreme(y.at(0, c, a, b)); };
        const float around = median_around(y, c, v, u, 1, values, between);
        if (std::abs(y.at(0, c, v, u) - around) > far &&
            alike_around(y, c, v, u, far) <= most_alike)
          known.at(0, c, v, u) = 0.f;
      }
  }
  return known;
}

}  // namespace

Tensor known_of_impulses(const Tensor& y) { return known_of(y, 8); }
Tensor known_of_lone_impulses(const Tensor& y) { return known_of(y, 2); }

Tensor filled_by_neighbours(const Tensor& y, const Tensor& known) {
  const Shape& s = y.shape();
  const bool shared = known.shape().c == 1;
  if (known.shape().h != s.h || known.shape().w != s.w || (!shared && known.shape().c != s.c))
    fail(ErrorCode::bad_argument, "filled_by_neighbours: what is known is {} but the picture is {}",
         to_string(known.shape()), to_string(s));
  Tensor filled = y;
  std::vector<float> values;
  const int most = std::max(s.h, s.w);
  for (int c = 0; c < s.c; ++c) {
    const int k = shared ? 0 : c;
    const auto plane = known.values().subspan(
        static_cast<std::size_t>(k) * static_cast<std::size_t>(s.h) * static_cast<std::size_t>(s.w),
        static_cast<std::size_t>(s.h) * static_cast<std::size_t>(s.w));
    if (std::none_of(plane.begin(), plane.end(), [](float v) { return v > 0.f; })) continue;
    const auto is_known = [&](int a, int b) { return known.at(0, k, a, b) > 0.f; };
    for (int v = 0; v < s.h; ++v)
      for (int u = 0; u < s.w; ++u) {
        if (is_known(v, u)) continue;
        float value = NAN;
        for (int radius = 1; std::isnan(value) && radius < 2 * most; radius *= 2)
          value = median_around(y, c, v, u, radius, values, is_known);
        filled.at(0, c, v, u) = value;
      }
  }
  return filled;
}

}  // namespace unmar
