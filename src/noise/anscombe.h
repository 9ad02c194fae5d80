#pragma once

#include <span>
#include <vector>

namespace unmar {

/// Makes noise whose variance grows with the brightness, variance = gain * x + offset, the same
/// everywhere: white, of standard deviation 1. The generalised Anscombe transform (Starck, Murtagh
/// and Bijaoui 1998) with its exact unbiased inverse (Makitalo and Foi, "Optimal Inversion of the
/// Generalized Anscombe Transformation for Poisson-Gaussian Noise", IEEE TIP 2013): what is
/// inverted is the mean of the transformed noise, not the transform.
/// offset below 0: x begins at -offset / gain. throws Error{bad_argument} unless gain > 0.
class Anscombe {
 public:
  Anscombe(double gain, double offset);
  void forward(std::span<float> values) const;
  /// The x whose transformed noise has this mean; at least where x begins.
  void inverse(std::span<float> values) const;

 private:
  double transformed(double photons) const;
  double mean_of(double photons) const;
  double inverted(double mean) const;

  double gain_, begin_, read_variance_;  ///< photons = (x - begin) / gain
  std::vector<double> means_;            ///< of photons (i * kStep)^2
};

}  // namespace unmar
