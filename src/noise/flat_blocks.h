#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "unmar/noise/noise.h"

namespace unmar {

inline constexpr int kLags = 5;

/// Variance and autocovariance, across and down, of one 8 x 8 block about the plane through it.
struct BlockStatistics {
  double variance = 0;
  std::array<double, kLags> lag{};  ///< [0]: of no distance
};

/// The flattest tenth of the blocks of a channel: there is more noise than picture in them.
struct Flattest {
  bool enough = false;  ///< blocks to tell
  bool alike = false;   ///< noise makes them differ; otherwise some are much flatter than others
  BlockStatistics mean;
};

/// 8 x 8 blocks of a picture in which hardly any value of any channel is clipped: first pixels.
std::vector<std::ptrdiff_t> whole_blocks(const Tensor& y);
Flattest flattest(const Tensor& t, int c, const std::vector<std::ptrdiff_t>& first_pixels);

/// Takes the noise for correlated if most channels say so, or if that is known. flat: of each
/// channel; noise.channels: what white noise would have.
void look_for_correlation(const std::vector<Flattest>& flat, NoiseModel& noise, bool known);

}  // namespace unmar
