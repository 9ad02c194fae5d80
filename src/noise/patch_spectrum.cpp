#include "noise/patch_spectrum.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <numeric>

namespace unmar {

PatchSpectrum::PatchSpectrum(int size)
    : size_(size),
      mean_(static_cast<std::size_t>(size * size)),
      products_(mean_.size() * mean_.size()),
      patch_(mean_.size()) {}

void PatchSpectrum::add(const float* first, int ld) {
  std::size_t n = 0;
  for (int y = 0; y < size_; ++y, first += ld)
    for (int x = 0; x < size_; ++x) patch_[n++] = static_cast<double>(first[x]);
  for (std::size_t i = 0; i < n; ++i) {
    mean_[i] += patch_[i];
    double* row = products_.data() + i * n;
    for (std::size_t j = 0; j <= i; ++j) row[j] += patch_[i] * patch_[j];
  }
  ++count_;
}

std::vector<double> PatchSpectrum::eigenvalues() const {
  const auto n = static_cast<Eigen::Index>(mean_.size());
  const auto count = static_cast<double>(std::max<std::int64_t>(count_, 1));
  Eigen::MatrixXd covariance(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = 0; j <= i; ++j) {
      const auto a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(j);
      covariance(i, j) =
          products_[a * mean_.size() + b] / count - mean_[a] / count * mean_[b] / count;
    }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance, Eigen::EigenvaluesOnly);
  std::vector<double> values(solver.eigenvalues().begin(), solver.eigenvalues().end());
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

double noise_variance(std::span<const double> eigenvalues) {
  for (auto rest = eigenvalues; !rest.empty(); rest = rest.subspan(1)) {
    const double mean =
        std::accumulate(rest.begin(), rest.end(), 0.0) / static_cast<double>(rest.size());
    const auto above = std::count_if(rest.begin(), rest.end(), [&](double v) { return v > mean; });
    const auto below = std::count_if(rest.begin(), rest.end(), [&](double v) { return v < mean; });
    if (above >= below) return std::max(mean, 0.0);
  }
  return 0;
}

}  // namespace unmar
