#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/fail.h"
#include "noise/brightness.h"
#include "noise/channels.h"
#include "noise/flat_blocks.h"
#include "noise/impulses.h"
#include "noise/patch_spectrum.h"
#include "noise/planes.h"
#include "unmar/noise/noise.h"

namespace unmar {
namespace {

double white_sigma(const Tensor& t, int c) {
  const Shape& s = t.shape();
  const int size = std::min({7, s.h, s.w}), step = patch_step(s);
  const auto plane = plane_of(t, c);
  PatchSpectrum spectrum(size);
  for (int y = 0; y + size <= s.h; y += step)
    for (int x = 0; x + size <= s.w; x += step)
      spectrum.add(plane.data() + static_cast<std::ptrdiff_t>(y) * s.w + x, s.w);
  return std::sqrt(noise_variance(spectrum.eigenvalues()));
}

/// Fine texture counts as noise, but there is no more noise than the flattest blocks have.
double white_sigma(const Tensor& opponent, int c, const Flattest& flat) {
  constexpr double kShare = 0.8;  // of white noise in the flattest tenth, at least
  const double sigma = white_sigma(opponent, c);
  return flat.enough ? std::min(sigma, std::sqrt(flat.mean.variance) / kShare) : sigma;
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

NoiseModel estimate_noise(const Tensor& picture, const NoiseOptions& known) {
  if (picture.empty()) fail(ErrorCode::bad_argument, "noise: the picture has no pixels");
  NoiseModel noise;
  Tensor y = picture;
  if (impulse_share(known_of_lone_impulses(picture)) > 0) {
    const Tensor good = known_of_impulses(picture);
    noise.impulses = impulse_share(good);
    y = filled_by_neighbours(picture, good);
  }
  // Channels that are no colours have nothing in common, neither noise nor its unit.
  const bool colours = y.shape().c == 1 || y.shape().c == 3;
  const Tensor opponent = colours ? to_opponent(y) : y;
  const std::vector<std::ptrdiff_t> blocks = whole_blocks(y);
  std::vector<Flattest> flat;
  for (int c = 0; c < y.shape().c; ++c) {
    flat.push_back(flattest(opponent, c, blocks));
    noise.channels.push_back(white_sigma(opponent, c, flat.back()));
  }
  noise.sigma = root_mean_square(noise.channels);
  const auto may_be = [&](NoiseKind kind) { return !known.kind || *known.kind == kind; };
  if (may_be(NoiseKind::correlated)) look_for_correlation(flat, noise, known.kind.has_value());
  if ((colours || known.kind) && noise.kind == NoiseKind::white && may_be(NoiseKind::poisson) &&
      (!known.sigma || known.kind))
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
  const auto& use = image.source.use;
  if (!use || use->size() != image.count()) return estimate_noise(to_tensor(image), known);
  Tensor usable({1, image.channels(), image.height(), image.width()});
  std::ranges::transform(*use, usable.data(),
                         [](SampleUse u) { return u == SampleUse::used ? 1.f : 0.f; });
  return estimate_noise(filled_by_neighbours(to_tensor(image), usable), known);
}

}  // namespace unmar
