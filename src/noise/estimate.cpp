#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "noise/channels.h"
#include "noise/impulses.h"
#include "noise/patch_spectrum.h"
#include "unmar/noise.h"

namespace unmar {
namespace {

constexpr double kMostPatches = 60'000;

std::span<const float> plane_of(const Tensor& t, int c) {
  const auto size = static_cast<std::size_t>(t.shape().h) * static_cast<std::size_t>(t.shape().w);
  return t.values().subspan(static_cast<std::size_t>(c) * size, size);
}

/// So far apart that there are not too many patches.
int step_of(const Shape& s) {
  return std::max(1, static_cast<int>(std::sqrt(static_cast<double>(s.h) * s.w / kMostPatches)));
}

double white_sigma(const Tensor& t, int c) {
  const Shape& s = t.shape();
  const int size = std::min({7, s.h, s.w}), step = step_of(s);
  const auto plane = plane_of(t, c);
  PatchSpectrum spectrum(size);
  for (int y = 0; y + size <= s.h; y += step)
    for (int x = 0; x + size <= s.w; x += step)
      spectrum.add(plane.data() + static_cast<std::ptrdiff_t>(y) * s.w + x, s.w);
  return std::sqrt(noise_variance(spectrum.eigenvalues()));
}

constexpr int kBlock = 8, kLags = 5;

/// Variance and autocovariance, across and down, of one 8 x 8 block about the plane through it.
struct BlockStatistics {
  double variance = 0;
  std::array<double, kLags> lag{};  ///< [0]: of no distance
};

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

/// 8 x 8 blocks of a picture in which hardly any value of any channel is clipped: first pixels.
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

/// The flattest tenth of the blocks of a channel: there is more noise than picture in them.
struct Flattest {
  bool enough = false;  ///< blocks to tell
  bool alike = false;   ///< noise makes them differ; otherwise some are much flatter than others
  BlockStatistics mean;
};

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

/// Fine texture counts as noise, but there is no more noise than the flattest blocks have.
double white_sigma(const Tensor& opponent, int c, const Flattest& flat) {
  constexpr double kShare = 0.8;  // of white noise in the flattest tenth, at least
  const double sigma = white_sigma(opponent, c);
  return flat.enough ? std::min(sigma, std::sqrt(flat.mean.variance) / kShare) : sigma;
}

double middle(std::vector<double> values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Takes the noise for correlated if most channels say so.
void look_for_correlation(const std::vector<Flattest>& flat, NoiseModel& noise, bool known) {
  // White noise has 0 to 0.15 in the flattest blocks of ordinary pictures, more only where texture
  // is stronger than the noise, and then the fine estimate is not far below that of the blocks.
  constexpr double kShared = 0.25, kFine = 0.95, kNoMore = 0.1;
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
  if (!known && !(noise.correlation > kShared && middle(fine) < kFine)) return;
  noise.kind = NoiseKind::correlated;
  for (noise.reach = 1; noise.reach + 1 < kLags; ++noise.reach)
    if (middle(lags[static_cast<std::size_t>(noise.reach + 1)]) < kNoMore) break;
  for (std::size_t c = 0; c < coarse.size(); ++c)
    noise.channels[c] = std::max(noise.channels[c], coarse[c]);
}

/// Mean brightness and noise variance of patches that are about as bright.
struct Class {
  double mean, variance, weight;
};

/// known: to be Poisson noise, so that values of 0 are counts like others, not clipped.
void add_classes(const Tensor& t, int c, bool known, std::vector<Class>& classes) {
  constexpr int kSize = 6, kFewest = 400;
  constexpr std::size_t kClasses = 8;
  constexpr double kClipped = 0.02;
  const Shape& s = t.shape();
  if (s.h < kSize || s.w < kSize) return;
  const auto plane = plane_of(t, c);
  struct Patch {
    float mean, clipped;
    std::size_t at;
  };
  std::vector<Patch> patches;
  const int step = step_of(s);
  for (int y = 0; y + kSize <= s.h; y += step)
    for (int x = 0; x + kSize <= s.w; x += step) {
      const std::size_t at =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(s.w) + static_cast<std::size_t>(x);
      Patch patch{0.f, 0.f, at};
      for (int v = 0; v < kSize; ++v)
        for (int u = 0; u < kSize; ++u) {
          const float value =
              plane[at + static_cast<std::size_t>(v) * static_cast<std::size_t>(s.w) +
                    static_cast<std::size_t>(u)];
          patch.mean += value / (kSize * kSize);
          patch.clipped += (value <= 0.f && !known) || value >= 1.f ? 1.f / (kSize * kSize) : 0.f;
        }
      patches.push_back(patch);
    }
  std::sort(patches.begin(), patches.end(), [](const Patch& a, const Patch& b) {
    return a.mean != b.mean ? a.mean < b.mean : a.at < b.at;
  });
  for (std::size_t k = 0; k < kClasses; ++k) {
    const std::size_t begin = patches.size() * k / kClasses,
                      end = patches.size() * (k + 1) / kClasses;
    PatchSpectrum spectrum(kSize);
    double mean = 0, clipped = 0;
    for (std::size_t i = begin; i < end; ++i) {
      spectrum.add(plane.data() + patches[i].at, s.w);
      mean += static_cast<double>(patches[i].mean);
      clipped += static_cast<double>(patches[i].clipped);
    }
    const auto count = static_cast<double>(end - begin);
    if (count < kFewest || clipped / count > kClipped) continue;
    const double variance = noise_variance(spectrum.eigenvalues());
    if (variance > 0) classes.push_back({mean / count, variance, count});
  }
}

/// variance = gain * mean + offset by least squares of the relative error: the noise of a measured
/// variance is in proportion to it.
struct Line {
  double gain = 0, offset = 0, error = 0;  ///< root mean square, relative
  double at(double mean) const { return gain * mean + offset; }
};

Line fit_line(const std::vector<Class>& classes, bool sloped) {
  Line line;
  std::vector<double> expected;
  for (const Class& k : classes) expected.push_back(k.variance);
  for (int round = 0; round < 5; ++round) {  // the weights follow the line
    double w = 0, wm = 0, wmm = 0, wv = 0, wmv = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const Class& k = classes[i];
      const double weight = k.weight / (expected[i] * expected[i]);
      w += weight, wm += weight * k.mean, wmm += weight * k.mean * k.mean;
      wv += weight * k.variance, wmv += weight * k.mean * k.variance;
    }
    const double spread = w * wmm - wm * wm;
    line.gain = sloped && spread > 0 ? (w * wmv - wm * wv) / spread : 0;
    line.offset = (wv - line.gain * wm) / w;
    line.error = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const double least = classes[i].variance / 10;
      expected[i] = std::max(line.at(classes[i].mean), least);
      line.error +=
          std::pow(classes[i].variance / expected[i] - 1, 2) / static_cast<double>(classes.size());
    }
    line.error = std::sqrt(line.error);
  }
  return line;
}

void look_for_poisson(const Tensor& y, NoiseModel& noise, bool known) {
  constexpr double kBetter = 0.6;  ///< error of the line beside that of a constant
  constexpr double kGrowth = 1.5;  ///< of the variance, from the darkest class to the brightest
  std::vector<Class> classes;
  for (int c = 0; c < y.shape().c; ++c) add_classes(y, c, known, classes);
  const double mean =
      std::accumulate(y.values().begin(), y.values().end(), 0.0) / static_cast<double>(y.count());
  const auto take = [&](double gain, double offset) {
    noise.kind = NoiseKind::poisson;
    noise.gain = gain;
    noise.offset = offset;
    const double total = std::max(gain * mean + offset, 1e-16);
    noise.poisson_share = std::clamp(gain * mean / total, 0.0, 1.0);
    noise.sigma = std::sqrt(total);
  };
  // Where no line can be had, one through the origin.
  const auto take_all_for_poisson = [&] {
    double variances = 0, means = 0;
    for (const Class& k : classes) variances += k.weight * k.variance, means += k.weight * k.mean;
    if (classes.empty()) variances = noise.sigma * noise.sigma, means = mean;
    take(std::max(variances, 1e-16) / std::max(means, 1e-6), 0);
  };
  if (classes.size() < 4) {
    if (known) take_all_for_poisson();
    return;
  }
  const Line flat = fit_line(classes, false), line = fit_line(classes, true);
  const auto [dark, bright] =
      std::minmax_element(classes.begin(), classes.end(),
                          [](const Class& a, const Class& b) { return a.mean < b.mean; });
  const bool grows = line.gain > 0 &&
                     line.at(bright->mean) > kGrowth * std::max(line.at(dark->mean), 0.0) &&
                     line.error < kBetter * flat.error;
  if (grows || (known && line.gain > 0))
    take(line.gain, line.offset);
  else if (known)
    take_all_for_poisson();
}

/// Share of the values that are salt or pepper; 0 if they are not spread over the picture as noise
/// is: highlights and thin lines stand together.
double impulse_share(const Tensor& good) {
  constexpr double kFew = 0.002, kLeastOfMean = 0.25, kFewestInTile = 2;
  constexpr int kSide = 4, kMostWithout = 4;  // of 4 x 4 tiles
  const Shape& s = good.shape();
  std::array<double, kSide * kSide> tiles{};
  double all = 0;
  for (int c = 0; c < s.c; ++c)
    for (int y = 0; y < s.h; ++y)
      for (int x = 0; x < s.w; ++x) {
        if (good.at(0, c, y, x) > 0.f) continue;
        const int tile = y * kSide / s.h * kSide + x * kSide / s.w;
        tiles[static_cast<std::size_t>(tile)] += 1;
        all += 1;
      }
  const double share = all / static_cast<double>(good.count()), mean = all / (kSide * kSide);
  const auto without = std::count_if(tiles.begin(), tiles.end(),
                                     [&](double count) { return count < kLeastOfMean * mean; });
  return share >= kFew && mean >= kFewestInTile && without <= kMostWithout ? share : 0;
}

double root_mean_square(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace

const char* to_string(NoiseKind kind) {
  switch (kind) {
    case NoiseKind::white:
      return "white";
    case NoiseKind::poisson:
      return "poisson";
    case NoiseKind::correlated:
      return "correlated";
  }
  return "?";
}

std::string to_string(const NoiseModel& noise) {
  std::string text =
      fmt::format("{} noise, sigma {:.1f}", to_string(noise.kind), noise.sigma * 255);
  if (noise.kind == NoiseKind::poisson)
    text += fmt::format(", Poisson share {:.0f} %", 100 * noise.poisson_share);
  if (noise.kind == NoiseKind::correlated)
    text += fmt::format(", correlated over {} px", noise.reach);
  if (noise.impulses > 0) text += fmt::format("; salt and pepper {:.1f} %", 100 * noise.impulses);
  return text;
}

NoiseModel estimate_noise_model(const Tensor& picture, const NoiseOptions& known) {
  if (picture.empty()) fail(ErrorCode::bad_argument, "noise: the picture has no pixels");
  NoiseModel noise;
  Tensor y = picture;
  if (impulse_share(known_of_lone_impulses(picture)) > 0) {
    const Tensor good = known_of_impulses(picture);
    noise.impulses = impulse_share(good);
    y = filled_by_neighbours(picture, good);
  }
  const Tensor opponent = to_opponent(y);
  const std::vector<std::ptrdiff_t> blocks = whole_blocks(y);
  std::vector<Flattest> flat;
  for (int c = 0; c < y.shape().c; ++c) {
    flat.push_back(flattest(opponent, c, blocks));
    noise.channels.push_back(white_sigma(opponent, c, flat.back()));
  }
  noise.sigma = root_mean_square(noise.channels);
  const auto may_be = [&](NoiseKind kind) { return !known.kind || *known.kind == kind; };
  if (may_be(NoiseKind::correlated)) look_for_correlation(flat, noise, known.kind.has_value());
  if (noise.kind == NoiseKind::white && may_be(NoiseKind::poisson) && (!known.sigma || known.kind))
    look_for_poisson(y, noise, known.kind.has_value());
  if (noise.kind != NoiseKind::poisson) noise.sigma = root_mean_square(noise.channels);
  if (known.sigma && noise.kind != NoiseKind::poisson) {
    std::fill(noise.channels.begin(), noise.channels.end(), *known.sigma);
    noise.sigma = *known.sigma;
  }
  return noise;
}

NoiseModel estimate_noise(const Image& image, const NoiseOptions& known) {
  if (image.empty()) fail(ErrorCode::bad_argument, "noise: the picture has no pixels");
  return estimate_noise_model(to_tensor(image), known);
}

}  // namespace unmar
