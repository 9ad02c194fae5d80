#include "noise/flat_blocks.h"

#include <algorithm>
#include <cmath>

#include "noise/planes.h"

namespace unmar {
namespace {

constexpr int kBlock = 8;

BlockStatistics statistics(const float* first, int ld) {
  constexpr double kMiddle = (kBlock - 1) / 2.0;
  constexpr double kSquares = kBlock * kBlock * (kBlock * kBlock - 1) / 12.0;  // of x - kMiddle
  double mean = 0, down = 0, across = 0;
  for (int y = 0; y < kBlock; ++y)
    for (int x = 0; x < kBlock; ++x) {
      const auto v = static_cast<double>(first[y * ld + x]);
      mean += v / (kBlock * kBlock);
      down += v * (y - kMiddle) / kSquares;
      across += v * (x - kMiddle) / kSquares;
    }
  const auto at = [&](int y, int x) {
    return static_cast<double>(first[y * ld + x]) - mean - down * (y - kMiddle) -
           across * (x - kMiddle);
  };
  BlockStatistics block;
  for (int lag = 0; lag < kLags; ++lag) {
    double sum = 0;
    for (int y = 0; y < kBlock; ++y)
      for (int x = 0; x + lag < kBlock; ++x)
        sum += at(y, x) * at(y, x + lag) + at(x, y) * at(x + lag, y);
    block.lag[static_cast<std::size_t>(lag)] = sum / (2 * kBlock * (kBlock - lag));
  }
  block.variance = block.lag[0] * (kBlock * kBlock) / (kBlock * kBlock - 3);
  return block;
}

double middle(std::vector<double> values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

std::vector<std::ptrdiff_t> whole_blocks(const Tensor& y) {
  constexpr int kMostClipped = 3;
  const Shape& s = y.shape();
  std::vector<std::ptrdiff_t> blocks;
  for (int v = 0; v + kBlock <= s.h; v += kBlock)
    for (int u = 0; u + kBlock <= s.w; u += kBlock) {
      int clipped = 0;
      for (int c = 0; c < s.c; ++c)
        for (int i = 0; i < kBlock * kBlock; ++i) {
          const float value = y.at(0, c, v + i / kBlock, u + i % kBlock);
          clipped += value <= 0.f || value >= 1.f ? 1 : 0;
        }
      if (clipped <= kMostClipped * s.c) blocks.push_back(static_cast<std::ptrdiff_t>(v) * s.w + u);
    }
  return blocks;
}

Flattest flattest(const Tensor& t, int c, const std::vector<std::ptrdiff_t>& first_pixels) {
  constexpr std::size_t kFewest = 50;
  constexpr double kAlike = 0.25;
  const auto plane = plane_of(t, c);
  std::vector<BlockStatistics> blocks;
  for (const std::ptrdiff_t first : first_pixels)
    blocks.push_back(statistics(plane.data() + first, t.shape().w));
  Flattest result;
  if (blocks.size() < kFewest) return result;
  std::sort(blocks.begin(), blocks.end(),
            [](const auto& a, const auto& b) { return a.variance < b.variance; });
  const std::size_t count = blocks.size() / 10;
  result.enough = true;
  result.alike = blocks[count / 5].variance > kAlike * blocks[count].variance;
  for (std::size_t i = 0; i < count; ++i) {
    result.mean.variance += blocks[i].variance / static_cast<double>(count);
    for (std::size_t l = 0; l < kLags; ++l)
      result.mean.lag[l] += blocks[i].lag[l] / static_cast<double>(count);
  }
  return result;
}

void look_for_correlation(const std::vector<Flattest>& flat, NoiseModel& noise, bool known) {
  // White noise has 0 to 0.15 in the flattest blocks of ordinary pictures, more only where texture
  // is stronger than the noise, and then the fine estimate is not far below that of the blocks.
  constexpr double kShared = 0.25, kFine = 0.95, kNoMore = 0.1;
  // Where noise grows with the light the flattest blocks are the dark ones, so that the fine
  // estimate is above theirs. Interpolation shows all the same: what the nearest share, 0.55 to
  // 0.63 in demosaiced pictures, is gone two pixels on; of texture a quarter to a half is left
  // there.
  constexpr double kMuch = 0.4, kGone = 0.2;
  // The flattest tenth has less noise than average, and blocks miss what is wider than they are:
  // 0.68 to 0.74 of it in demosaiced pictures, 0.8 of white noise smoothed by 1 2 1.
  constexpr double kFlattestShare = 0.7;
  std::vector<double> fine, coarse;
  std::array<std::vector<double>, kLags> lags;
  for (std::size_t c = 0; c < flat.size(); ++c) {
    const BlockStatistics& block = flat[c].mean;
    if (!flat[c].alike) {
      if (known) noise.kind = NoiseKind::correlated, noise.reach = 1;
      return;
    }
    for (std::size_t l = 0; l < kLags; ++l) lags[l].push_back(block.lag[l] / block.lag[0]);
    const double sigma = std::sqrt(block.variance);
    fine.push_back(noise.channels[c] / sigma);
    coarse.push_back(sigma / kFlattestShare);
  }
  noise.correlation = middle(lags[1]);
  const bool interpolated =
      noise.correlation > kMuch && std::abs(middle(lags[2])) < kGone * noise.correlation;
  const bool shared = noise.correlation > kShared && (middle(fine) < kFine || interpolated);
  if (!known && !shared) return;
  noise.kind = NoiseKind::correlated;
  for (noise.reach = 1; noise.reach + 1 < kLags; ++noise.reach)
    if (middle(lags[static_cast<std::size_t>(noise.reach + 1)]) < kNoMore) break;
  for (std::size_t c = 0; c < coarse.size(); ++c)
    noise.channels[c] = std::max(noise.channels[c], coarse[c]);
}

}  // namespace unmar
