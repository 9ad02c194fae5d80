#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace unmar {

/// The covariance of patches of size x size pixels, gathered patch by patch.
class PatchSpectrum {
 public:
  explicit PatchSpectrum(int size);
  /// Adds the patch whose rows begin at `first` and are `ld` floats apart.
  void add(const float* first, int ld);
  std::int64_t count() const { return count_; }
  /// Variances along the principal axes, the largest first: size^2 numbers.
  std::vector<double> eigenvalues() const;

 private:
  int size_;
  std::int64_t count_ = 0;
  std::vector<double> mean_, products_, patch_;
};

/// Variance of white noise from the spectrum of noisy patches: Chen, Zhu and Heng, "An Efficient
/// Statistical Method for Image Noise Level Estimation", ICCV 2015. What a picture shows needs few
/// of the axes; along all others there is noise alone, as much to either side of its mean. So the
/// largest are left out one by one until mean and median agree.
double noise_variance(std::span<const double> eigenvalues);

}  // namespace unmar
