#include "image/outliers.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace unmar::image {
namespace {

double quantile(std::vector<double>& values, double share) {
  const auto at = values.begin() + std::lround(share * (static_cast<double>(values.size()) - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Which side of the fences a sample lies on.
enum class Side : std::uint8_t { inside, below, above, seen };

Side side_of(double value, const ValueRange& fence) {
  return value < fence.black ? Side::below : value > fence.white ? Side::above : Side::inside;
}

/// Connected samples of one channel on one side of the near fence.
struct Group {
  std::vector<std::size_t> samples;  ///< where they stand in their plane
  bool solid = false;                ///< has a square of 3x3
};

/// The groups of one channel.
class Plane {
 public:
  Plane(Samples& samples, int channel, const Fences& fences)
      : samples_(samples),
        offset_(static_cast<std::size_t>(channel) * samples.plane()),
        fences_(fences),
        sides_(samples.plane(), Side::inside) {
    for (std::size_t i = 0; i < sides_.size(); ++i) {
      const SampleUse use = samples_.use_of(offset_ + i);
      if (use == SampleUse::used) sides_[i] = side_of(value(i), fences.near);
    }
  }

  void mark(Outliers how) {
    const std::vector<Side> sides = sides_;  // below they become `seen`
    for (std::size_t i = 0; i < sides_.size(); ++i) {
      if (sides_[i] == Side::inside || sides_[i] == Side::seen) continue;
      const Group group = grown_from(i, sides);
      const bool alone = is_alone(group, sides);
      for (const std::size_t s : group.samples) {
        const bool beyond = side_of(value(s), fences_.far) != Side::inside;
        if (!alone && !beyond) continue;
        const bool filled = how == Outliers::automatic ? alone : how == Outliers::fill;
        samples_.mark(offset_ + s, filled ? SampleUse::outlier : SampleUse::kept);
      }
    }
  }

 private:
  double value(std::size_t i) const { return samples_.values[offset_ + i]; }

  /// Calls body with the place of every neighbour, and returns how many there are.
  template <class Body>
  int around(std::size_t i, Body body) const {
    const int w = samples_.width, h = samples_.height;
    const int y = static_cast<int>(i) / w, x = static_cast<int>(i) % w;
    int count = 0;
    for (int v = std::max(0, y - 1); v <= std::min(h - 1, y + 1); ++v)
      for (int u = std::max(0, x - 1); u <= std::min(w - 1, x + 1); ++u) {
        if (v == y && u == x) continue;
        body(static_cast<std::size_t>(v) * static_cast<std::size_t>(w) +
             static_cast<std::size_t>(u));
        ++count;
      }
    return count;
  }

  Group grown_from(std::size_t first, const std::vector<Side>& sides) {
    Group group;
    const Side side = sides[first];
    std::vector<std::size_t> open{first};
    sides_[first] = Side::seen;
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      group.samples.push_back(at);
      int alike = 0;
      around(at, [&](std::size_t n) {
        if (sides[n] != side) return;
        ++alike;
        if (sides_[n] == Side::seen) return;
        sides_[n] = Side::seen;
        open.push_back(n);
      });
      group.solid = group.solid || alike == 8;
    }
    return group;
  }

  bool is_alone(const Group& group, const std::vector<Side>& sides) const {
    if (group.solid) return false;
    if (fences_.given) return true;
    // A line drawn into the picture has one value, the trace of a particle has many.
    constexpr std::size_t kShort = 12;
    const auto [least, most] = std::ranges::minmax_element(
        group.samples, {}, [&](std::size_t s) { return samples_.values[offset_ + s]; });
    if (group.samples.size() > kShort && value(*least) == value(*most)) return false;
    return stands_out(group, sides);
  }

  /// A star that is small enough to have no square still lights its neighbours.
  bool stands_out(const Group& group, const std::vector<Side>& sides) const {
    constexpr double kLit = 0.15;  // of the height of the group; the optics give a quarter and more
    std::vector<double> own, rim;
    for (const std::size_t s : group.samples) {
      own.push_back(samples_.values[offset_ + s]);
      around(s, [&](std::size_t n) {
        if (sides[n] == Side::inside && samples_.use_of(offset_ + n) == SampleUse::used)
          rim.push_back(samples_.values[offset_ + n]);
      });
    }
    if (rim.empty()) return true;
    const double ground = (fences_.near.black + fences_.near.white) / 2;
    return std::abs(quantile(rim, 0.75) - ground) < kLit * std::abs(quantile(own, 0.5) - ground);
  }

  Samples& samples_;
  const std::size_t offset_;
  const Fences& fences_;
  std::vector<Side> sides_;
};

std::optional<Fences> fences_around(std::vector<double>& values) {
  // In widths of the middle 80 %: noise alone reaches 1.5 of them in a picture of 100 megapixels.
  constexpr double kNear = 4, kFar = 16;
  for (const double share : {0.1, 0.01, 0.001}) {
    const double low = quantile(values, share), high = quantile(values, 1 - share);
    const double width = high - low;
    if (width > 0)
      return Fences{{low - kNear * width, high + kNear * width},
                    {low - kFar * width, high + kFar * width}};
  }
  return std::nullopt;
}

/// Where no data are, programs write one value far from all data: -9999, 1e30, the least float. Of
/// a tenth of the picture and more it would stretch the middle 80 % and hide behind that. If the
/// least or the greatest value is such a one, takes it out and finds the fences of the others.
bool leave_out_sentinel(std::vector<double>& values, std::optional<Fences>& fences) {
  const auto [least, most] = std::ranges::minmax(values);
  for (const double sentinel : {least, most}) {
    const auto count = static_cast<std::size_t>(std::ranges::count(values, sentinel));
    const bool background = sentinel == 0;  // what programs leave that cut something out
    if (background || count == values.size() ||
        count < std::max<std::size_t>(2, values.size() / 100))
      continue;
    std::vector<double> others;
    std::ranges::copy_if(values, std::back_inserter(others),
                         [&](double value) { return value != sentinel; });
    const auto around = fences_around(others);
    if (!around || side_of(sentinel, around->far) == Side::inside) continue;
    values = std::move(others);
    fences = around;
    return true;
  }
  return false;
}

}  // namespace

std::optional<Fences> fences_of(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::optional<Fences> fences = fences_around(values);
  while (leave_out_sentinel(values, fences)) {
  }
  return fences;
}

void mark_outliers(Samples& samples, const Fences& fences, Outliers how) {
  for (int c = 0; c < samples.channels; ++c) Plane(samples, c, fences).mark(how);
}

}  // namespace unmar::image
