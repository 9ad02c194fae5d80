#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "image/compared.h"
#include "unmar/image/image.h"

namespace unmar {
namespace {

using image::Compared;
using image::PlaneView;

constexpr int kLargestWindow = 11;
constexpr double kSigma = 1.5;
constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;

std::vector<double> gaussian(int window) {
  std::vector<double> weights(static_cast<std::size_t>(window));
  double sum = 0;
  for (int i = 0; i < window; ++i) {
    const double at = (i - window / 2) / kSigma;
    sum += weights[static_cast<std::size_t>(i)] = std::exp(-0.5 * at * at);
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

// SSIM needs of the two variances only their sum, so four filtered maps do instead of five: with
// s = a + b and d = a - b, the means and variances of s and d give
// var a + var b = (var s + var d) / 2 and 2 cov(a, b) = (var s - var d) / 2.
constexpr std::size_t kMaps = 4;  // s, d, s*s, d*d

class SsimFilter {
 public:
  SsimFilter(int window, int width)
      : weights_(gaussian(window)),
        width_(static_cast<std::size_t>(width)),
        inner_(static_cast<std::size_t>(width - window + 1)),
        raw_(width_),
        rows_(static_cast<std::size_t>(window)),
        sums_(kMaps * inner_) {
    for (auto& row : rows_) row.resize(kMaps * inner_);
  }

  /// Filters a row of both pictures along x and keeps it for the windows that contain it.
  void push(std::size_t y, const float* a, const float* b) {
    std::vector<double>& row = rows_[y % rows_.size()];
    for (std::size_t map = 0; map < kMaps; ++map) {
      const double sign = map % 2 == 0 ? 1 : -1;
      for (std::size_t x = 0; x < width_; ++x) raw_[x] = a[x] + sign * b[x];
      if (map >= 2) {
        for (std::size_t x = 0; x < width_; ++x) raw_[x] *= raw_[x];
      }
      weighted_sum([&](std::size_t k) { return raw_.data() + k; }, row.data() + map * inner_,
                   inner_);
    }
  }

  /// The sum of SSIM over the windows that cover the rows pushed last.
  double sum_of_row() {
    // The window is symmetric, but the kept rows are in a ring: y tells their order.
    weighted_sum([&](std::size_t k) { return rows_[(next_ + k) % rows_.size()].data(); },
                 sums_.data(), sums_.size());
    next_ = (next_ + 1) % rows_.size();
    const double *s = sums_.data(), *d = s + inner_, *ss = d + inner_, *dd = ss + inner_;
    double sum = 0;
    for (std::size_t x = 0; x < inner_; ++x) {
      const double s2 = s[x] * s[x], d2 = d[x] * d[x];
      const double var_s = ss[x] - s2, var_d = dd[x] - d2;
      sum += ((s2 - d2) / 2 + kC1) * ((var_s - var_d) / 2 + kC2) /
             (((s2 + d2) / 2 + kC1) * ((var_s + var_d) / 2 + kC2));
    }
    return sum;
  }

 private:
  /// dst[x] = sum over k of weight[k] * line(k)[x]; pairs of equal weights are added first.
  template <class Line>
  void weighted_sum(Line line, double* __restrict dst, std::size_t count) const {
    const std::size_t half = weights_.size() / 2;
    const double* centre = line(half);
    for (std::size_t x = 0; x < count; ++x) dst[x] = weights_[half] * centre[x];
    for (std::size_t k = 0; k < half; ++k) {
      const double weight = weights_[k];
      const double* left = line(k);
      const double* right = line(weights_.size() - 1 - k);
      for (std::size_t x = 0; x < count; ++x) dst[x] += weight * (left[x] + right[x]);
    }
  }

  std::vector<double> weights_;
  std::size_t width_, inner_;  ///< of the picture; of the windows' centres
  std::vector<double> raw_;
  std::vector<std::vector<double>> rows_;  ///< a ring of the last `window` filtered rows
  std::vector<double> sums_;
  std::size_t next_ = 0;  ///< the ring's oldest row
};

}  // namespace

double ssim(const Image& a, const Image& b, const CompareOptions& options) {
  const Compared pair("ssim", a, b, options);
  const int side = std::min({pair.height(), pair.width(), kLargestWindow});
  const int window = side % 2 == 0 ? side - 1 : side;
  double sum = 0;
  for (int c = 0; c < pair.channels(); ++c) {
    SsimFilter filter(window, pair.width());
    const PlaneView first = pair.first(c), second = pair.second(c);
    for (int y = 0; y < pair.height(); ++y) {
      filter.push(static_cast<std::size_t>(y), first.row(y), second.row(y));
      if (y >= window - 1) sum += filter.sum_of_row();
    }
  }
  const double windows = static_cast<double>(pair.height() - window + 1) *
                         static_cast<double>(pair.width() - window + 1);
  return sum / windows / pair.channels();
}

}  // namespace unmar
