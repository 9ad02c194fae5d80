#pragma once

#include <optional>
#include <string>
#include <vector>

#include "unmar/image/image.h"
#include "unmar/tensor/tensor.h"

/// What can be said of the noise of a picture from the picture alone.
namespace unmar {

enum class NoiseKind {
  white,       ///< as strong everywhere, independent from pixel to pixel
  poisson,     ///< independent; its variance grows with the brightness, as that of counted photons
  correlated,  ///< shared by neighbours: cameras' JPEG files, demosaicing, anything resized
};
const char* to_string(NoiseKind kind);  ///< "white", "poisson", "correlated"

/// Pixels in [0,1].
struct NoiseModel {
  NoiseKind kind = NoiseKind::white;
  /// Standard deviation at a pixel, the root mean square over the picture.
  double sigma = 0;
  /// Standard deviation of each channel turned by the orthonormal cosine transform: for RGB
  /// (R + G + B) / sqrt(3), (R - B) / sqrt(2), (R - 2 G + B) / sqrt(6); for gray the gray; for data
  /// each channel. poisson: unused, and 1 after the Anscombe transform.
  std::vector<double> channels = {};
  double gain = 0, offset = 0;  ///< poisson: variance = gain * x + offset
  double poisson_share = 0;     ///< of the variance at the mean brightness that is gain * x
  double correlation = 0;       ///< of the noise of two neighbours
  int reach = 0;                ///< correlated: over so many pixels
  double impulses = 0;          ///< share of the values that are salt or pepper
};

/// One line: "white noise, sigma 24.6", "correlated over 2 px".
std::string to_string(const NoiseModel& noise);

struct NoiseOptions {
  std::optional<NoiseKind> kind = {};  ///< if known
  std::optional<double> sigma = {};    ///< if known; range 1
};

/// White noise by the spectrum of the patches of each channel (Chen, Zhu and Heng, ICCV 2015), at
/// most what the flattest blocks have: within 5 % at sigma 25 / 255 on ordinary pictures, and up to
/// 15 % too much at 10, since fine texture counts as noise. Poisson by the same in eight classes of
/// brightness and a line through them, classes with clipped values left out. Correlated if
/// neighbours share their deviations in the flattest tenth of the 8x8 blocks. Salt and pepper:
/// black and white values far from the median of their neighbours. Memory: twice the picture.
/// throws Error{bad_argument} for an empty picture.
NoiseModel estimate_noise(const Image& image, const NoiseOptions& known = {});
/// y [1,c,h,w] of any number of channels.
NoiseModel estimate_noise(const Tensor& y, const NoiseOptions& known = {});

/// sigma of white Gaussian noise in a picture, from the median of its finest diagonal differences
/// (Donoho and Johnstone 1994), of each 2 x 2 block; range 1. 0 for less than a block.
double estimate_sigma(const Tensor& y);

/// 0 where a value of y is salt or pepper, else 1; of y's shape.
Tensor known_of_impulses(const Tensor& y);
/// y with the values where `known` is 0 replaced by the median of the nearest known ones. known
/// [1,1,h,w] or of y's shape. A channel of which nothing is known stays.
Tensor filled_by_neighbours(const Tensor& y, const Tensor& known);

}  // namespace unmar
