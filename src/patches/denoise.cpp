#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "base/fail.h"
#include "noise/anscombe.h"
#include "noise/channels.h"
#include "patches/combine.h"
#include "patches/options.h"
#include "unmar/patches/patches.h"

namespace unmar {
namespace {

using namespace patches;

/// The picture as the filter sees it: noise as strong everywhere, colours turned.
class Domain {
 public:
  explicit Domain(const NoiseModel& noise, int channels) {
    if (noise.kind == NoiseKind::poisson) {
      anscombe_.emplace(noise.gain, noise.offset);
      variances_.assign(static_cast<std::size_t>(channels), 1.0);
      return;
    }
    for (const double sigma : noise.channels) variances_.push_back(sigma * sigma);
    variances_.resize(static_cast<std::size_t>(channels), noise.sigma * noise.sigma);
  }

  Tensor enter(Tensor t) const {
    if (anscombe_) anscombe_->forward(t.values());
    return to_opponent(t);
  }
  Tensor leave(const Tensor& t) const {
    Tensor result = from_opponent(t);
    if (anscombe_) anscombe_->inverse(result.values());
    return result;
  }
  /// Of the noise of each channel.
  const std::vector<double>& variances() const { return variances_; }
  void strengthen(double factor) {
    for (double& v : variances_) v *= factor * factor;
  }

 private:
  std::optional<Anscombe> anscombe_;
  std::vector<double> variances_;
};

class Filter {
 public:
  Filter(const Tensor& y, const NoiseModel& noise, const PatchOptions& given, const Tensor& known)
      : options_(with_defaults(given)),
        pool_(options_.threads),
        domain_(noise, y.shape().c),
        known_(all_known(known) ? nothing_ : known),
        noisy_(y),
        y_(domain_.enter(known_.empty() ? y : filled_by_neighbours(y, known_))) {
    domain_.strengthen(noise.kind == NoiseKind::correlated ? kStrengthCorrelated : kStrength);
  }

  Tensor denoise() {
    // What is not known is filled by the first result; from there on it counts as measured.
    const int rounds = known_.empty() ? 1 : 2;
    Tensor x = y_;
    for (int round = 0; round < rounds && !cancelled(); ++round) {
      if (round > 0) refill(x);
      Tensor next = iterated(round, rounds);
      if (round == 0 || !cancelled()) x = std::move(next);
    }
    return domain_.leave(x);
  }

  Tensor step(const Tensor& pilot) {
    const Tensor guide = domain_.enter(pilot);
    if (!known_.empty()) refill(guide);
    constexpr int kSize = 7, kGroup = 55, kStep = 4;
    Groups groups(height(), width(), {kSize, kGroup, options_.radius, kStep});
    if (!groups.find(guide.data(), pool_, options_.cancel)) return pilot;
    const Pass pass{groups, domain_.variances(), pool_, options_.cancel, progress(0, 1)};
    Tensor x = pass.with_pilot(y_, guide);
    return x.empty() ? pilot : domain_.leave(x);
  }

 private:
  static bool all_known(const Tensor& known) {
    return std::all_of(known.values().begin(), known.values().end(),
                       [](float v) { return v > 0.f; });
  }

  int height() const { return y_.shape().h; }
  int width() const { return y_.shape().w; }
  bool cancelled() const { return options_.cancel.stop_requested(); }

  Tensor iterated(int round, int rounds) {
    constexpr int kFirstSize = 7, kFirstGroup = 18, kFirstStep = 4, kRegroup = 3;
    constexpr double kSlowly = 0.75;  ///< share of the noise that stays after a first of many
    const int passes = 1 + options_.iterations;
    const auto part = [&](int i) { return progress(round * passes + i, rounds * passes); };
    Tensor x;
    {
      Groups groups(height(), width(), {kFirstSize, kFirstGroup, options_.radius, kFirstStep});
      if (!groups.find(y_.data(), pool_, options_.cancel)) return y_;
      x = Pass{groups, domain_.variances(), pool_, options_.cancel, part(0)}.first_estimate(y_);
      if (x.empty()) return y_;
    }
    Groups groups(height(), width(),
                  {options_.size, options_.group, options_.radius, options_.step});
    Tensor z = y_;
    for (int i = 0; i < options_.iterations; ++i) {
      if (i % kRegroup == 0 && !groups.find(z.data(), pool_, options_.cancel)) break;
      const double left = kSlowly * (1 - (i + 1.0) / options_.iterations);
      const Pass pass{groups, domain_.variances(), pool_, options_.cancel, part(i + 1)};
      if (!pass.remove_noise(y_, left, x, z)) break;
    }
    return x;
  }

  std::function<void(double)> progress(int part, int parts) const {
    if (!options_.on_progress) return {};
    return [this, part, parts](double share) { options_.on_progress((part + share) / parts); };
  }

  void refill(const Tensor& x) {
    Tensor filled = noisy_;
    const Tensor values = domain_.leave(x);
    const std::size_t plane = known_.count() / static_cast<std::size_t>(known_.shape().c);
    for (std::size_t i = 0; i < filled.count(); ++i) {
      const bool known = known_.data()[known_.shape().c == 1 ? i % plane : i] > 0.f;
      if (!known) filled.data()[i] = values.data()[i];
    }
    y_ = domain_.enter(std::move(filled));
  }

  PatchOptions options_;
  ThreadPool pool_;
  Domain domain_;
  const Tensor nothing_;
  const Tensor& known_;  ///< empty: all is known
  const Tensor& noisy_;
  Tensor y_;
};

void check(const Tensor& y, const Tensor& known) {
  const Shape& s = y.shape();
  if (y.empty() || s.n != 1)
    fail(ErrorCode::bad_argument, "patches: want one picture, got {}", to_string(s));
  const bool shared = known.shape().c == 1;
  if (!known.empty() &&
      (known.shape().h != s.h || known.shape().w != s.w || (!shared && known.shape().c != s.c)))
    fail(ErrorCode::bad_argument, "patches: what is known is {} but the picture is {}",
         to_string(known.shape()), to_string(s));
  const std::size_t plane = static_cast<std::size_t>(s.h) * static_cast<std::size_t>(s.w);
  for (std::size_t begin = 0; begin < known.count(); begin += plane)
    if (std::none_of(known.data() + begin, known.data() + begin + plane,
                     [](float v) { return v > 0.f; }))
      fail(ErrorCode::bad_argument, "patches: nothing is known of channel {}; leave it out",
           begin / plane);
  for (std::size_t i = 0; i < y.count(); ++i) {
    if (std::isfinite(y.data()[i])) continue;
    if (!known.empty() && !(known.data()[shared ? i % plane : i] > 0.f)) continue;
    fail(ErrorCode::numeric,
         "patches: the value of channel {} at ({}, {}) is {}; mark such values as not known",
         i / plane, i % plane % static_cast<std::size_t>(s.w),
         i % plane / static_cast<std::size_t>(s.w), y.data()[i]);
  }
}

Tensor channel_of(const Tensor& t, int channel) {
  const Shape& s = t.shape();
  if (t.empty() || s.c == 1) return t;
  Tensor plane({1, 1, s.h, s.w});
  std::copy_n(t.data() + static_cast<std::size_t>(channel) * plane.count(), plane.count(),
              plane.data());
  return plane;
}

/// Channels that are no colours are alike in other places each: `filter` gets them one by one.
template <class Filter>
Tensor each_alone(const Shape& shape, const NoiseModel& noise, PatchOptions options,
                  const Filter& filter) {
  Tensor result(shape);
  const auto on_progress = options.on_progress;
  const std::size_t plane = result.count() / static_cast<std::size_t>(shape.c);
  for (int c = 0; c < shape.c; ++c) {
    NoiseModel own = noise;
    const auto at = static_cast<std::size_t>(c);
    if (at < noise.channels.size()) own.channels = {noise.channels[at]};
    if (!own.channels.empty()) own.sigma = own.channels.front();
    if (on_progress)
      options.on_progress = [&, c](double done) { on_progress((c + done) / shape.c); };
    const Tensor part = filter(c, own, options);
    std::copy_n(part.data(), plane, result.data() + at * plane);
  }
  return result;
}

bool are_colours(const Tensor& y) { return y.shape().c == 1 || y.shape().c == 3; }

}  // namespace

Tensor patches_denoise(const Tensor& y, const NoiseModel& noise, const PatchOptions& options,
                       const Tensor& known) {
  check(y, known);
  if (are_colours(y)) return Filter(y, noise, options, known).denoise();
  return each_alone(y.shape(), noise, options,
                    [&](int c, const NoiseModel& own, const PatchOptions& how) {
                      const Tensor part = channel_of(y, c), seen = channel_of(known, c);
                      return Filter(part, own, how, seen).denoise();
                    });
}

Tensor patches_step(const Tensor& y, const Tensor& pilot, const NoiseModel& noise,
                    const PatchOptions& options, const Tensor& known) {
  check(y, known);
  check(pilot, {});
  if (pilot.shape() != y.shape())
    fail(ErrorCode::bad_argument, "patches: the pilot is {} but the picture is {}",
         to_string(pilot.shape()), to_string(y.shape()));
  if (are_colours(y)) return Filter(y, noise, options, known).step(pilot);
  return each_alone(y.shape(), noise, options,
                    [&](int c, const NoiseModel& own, const PatchOptions& how) {
                      const Tensor part = channel_of(y, c), seen = channel_of(known, c);
                      return Filter(part, own, how, seen).step(channel_of(pilot, c));
                    });
}

Image patches_denoise(const Image& noisy, const NoiseModel& noise, const PatchOptions& options) {
  const Tensor y = to_tensor(noisy);
  const Tensor known = noise.impulses > 0 ? known_of_impulses(y) : Tensor();
  return clamped(to_image(patches_denoise(y, noise, options, known), noisy.source));
}

Image patches_denoise(const Image& noisy, const PatchOptions& options) {
  return patches_denoise(noisy, estimate_noise(noisy), options);
}

}  // namespace unmar
