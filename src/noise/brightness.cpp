#include "noise/brightness.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "noise/patch_spectrum.h"
#include "noise/planes.h"

namespace unmar {
namespace {

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
  const int step = patch_step(s);
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

}  // namespace

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

}  // namespace unmar
