#include "patches/combine.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "patches/kernels.h"

namespace unmar::patches {
namespace {

/// Below this share of the noise the sums of squares of a float no longer tell D from rounding.
constexpr double kLeastShare = 0.02;

std::ptrdiff_t plane_size(const Shape& s) { return static_cast<std::ptrdiff_t>(s.h) * s.w; }

/// What one thread works with: groups, k rows of n pixels each, and matrices beside them.
struct Scratch {
  explicit Scratch(const Groups& groups)
      : k(groups.count()),
        n(groups.size() * groups.size()),
        stride(stride_of(n)),
        across(stride_of(k)),
        y(Shape{1, 1, rows_of(k), stride}, 0.f),
        x(y),
        z(y),
        out(y),
        a(Shape{1, 1, std::max(stride, across), std::max(stride, across)}, 0.f),
        b(Shape{1, 1, rows_of(std::max(n, k)), across}, 0.f),
        c(b),
        mean(static_cast<std::size_t>(stride)),
        norms(static_cast<std::size_t>(across)),
        offsets(static_cast<std::size_t>(k)) {}

  int k, n;
  int stride, across;   ///< of rows of pixels, and of rows of patches
  Tensor y, x, z, out;  ///< groups
  Tensor a, b, c;       ///< products of groups, and groups transposed
  std::vector<float> mean, norms;
  std::vector<std::ptrdiff_t> offsets;
};

/// Calls run(size), as a constant where it is a usual one: a row of so few pixels is then copied
/// without a loop.
template <class Run>
void for_size(int size, const Run& run) {
  if (size == 6)
    run(std::integral_constant<int, 6>());
  else if (size == 7)
    run(std::integral_constant<int, 7>());
  else
    run(size);
}

/// The group's patches of `plane`, one a row.
void gather(const float* plane, int width, int size, const Scratch& s, Tensor& to) {
  for_size(size, [&](auto side) {
    for (int j = 0; j < s.k; ++j) {
      const float* patch = plane + s.offsets[static_cast<std::size_t>(j)];
      float* row = to.data() + static_cast<std::ptrdiff_t>(j) * s.stride;
      for (int r = 0; r < side; ++r, patch += width, row += side)
        for (int i = 0; i < side; ++i) row[i] = patch[i];
    }
  });
}

/// Adds value(i), i from 0 for each value of the group, and the mean, weighted, to the plane.
template <class Value>
void scatter(const Scratch& s, int width, int size, float* plane, const Value& value) {
  for_size(size, [&](auto side) {
    for (int j = 0; j < s.k; ++j) {
      float* patch = plane + s.offsets[static_cast<std::size_t>(j)];
      std::ptrdiff_t at = static_cast<std::ptrdiff_t>(j) * s.stride;
      const float* mean = s.mean.data();
      const float weight = s.norms[static_cast<std::size_t>(j)];
      for (int r = 0; r < side; ++r, patch += width, at += side, mean += side)
        for (int i = 0; i < side; ++i) patch[i] += weight * (value(at + i) + mean[i]);
    }
  });
}

/// Weights of patches, each where its patch begins, become those of the pixels: at each the sum
/// over the patches that it is in.
void spread(Tensor& weights, int size) {
  const Shape& s = weights.shape();
  const auto sum_back = [size](float* last, int count, std::ptrdiff_t step) {
    for (int i = count - 1; i > 0; --i, last -= step)
      for (int j = 1; j < std::min(size, i + 1); ++j) *last += last[-j * step];
  };
  for (int c = 0; c < s.c; ++c) {
    for (int y = 0; y < s.h; ++y) sum_back(&weights.at(0, c, y, s.w - 1), s.w, 1);
    for (int x = 0; x < s.w; ++x) sum_back(&weights.at(0, c, s.h - 1, x), s.h, s.w);
  }
}

enum class Kind { first, pilot, iterated };

class Run {
 public:
  Run(const Pass& pass, Kind kind, double tau, const Tensor& y, const Tensor& x, const Tensor& z)
      : pass_(pass),
        kind_(kind),
        tau_(tau),
        y_(y),
        x_(x),
        z_(z),
        shape_(y.shape()),
        sum_x_(shape_),
        weights_(shape_) {
    if (kind == Kind::iterated) sum_z_ = Tensor(shape_);
  }

  /// Returns whether it came to its end.
  bool go() {
    const Groups& groups = pass_.groups;
    std::vector<Scratch> scratch(static_cast<std::size_t>(pass_.pool.threads()), Scratch(groups));
    // Squares of groups, so large that two with another between them write to different pixels.
    // They are worked on in four rounds, so that each pixel's sum has one order, whoever adds.
    const int reach = 2 * groups.radius() + groups.size();
    const int side = (reach + groups.step() - 1) / groups.step();
    const int down = (groups.rows() + side - 1) / side;
    const int across = (groups.columns() + side - 1) / side;
    for (int round = 0; round < 4; ++round) {
      const int odd_row = round / 2, odd_column = round % 2;
      const int tall = (down - odd_row + 1) / 2, wide = (across - odd_column + 1) / 2;
      pass_.pool.run(tall * wide, [&](int chunk, int thread) {
        const int row = (2 * (chunk / wide) + odd_row) * side;
        const int column = (2 * (chunk % wide) + odd_column) * side;
        for (int r = row; r < std::min(row + side, groups.rows()); ++r)
          for (int c = column; c < std::min(column + side, groups.columns()); ++c)
            add_group(r, c, scratch[static_cast<std::size_t>(thread)]);
      });
      if (pass_.cancel.stop_requested()) return false;
      if (pass_.on_progress) pass_.on_progress((round + 1) / 4.0);
    }
    spread(weights_, groups.size());
    divide(sum_x_);
    if (!sum_z_.empty()) divide(sum_z_);
    return true;
  }

  Tensor take_x() { return std::move(sum_x_); }
  Tensor take_z() { return std::move(sum_z_); }

 private:
  void add_group(int row, int column, Scratch& s) {
    if (pass_.cancel.stop_requested()) return;
    const Groups& groups = pass_.groups;
    groups.members(row, column, s.offsets.data());
    const int size = groups.size(), width = shape_.w;
    for (int c = 0; c < shape_.c; ++c) {
      const std::ptrdiff_t plane = c * plane_size(shape_);
      const double variance = pass_.variances[static_cast<std::size_t>(c)];
      gather(z_.data() + plane, width, size, s, s.z);
      double share = 1;
      if (kind_ == Kind::iterated) {
        gather(y_.data() + plane, width, size, s, s.y);
        share =
            std::max({1 - removed(s) / std::sqrt(std::max(variance, 1e-30)), tau_, kLeastShare});
      }
      if (kind_ != Kind::first) {
        gather(x_.data() + plane, width, size, s, s.x);
        take_mean(s.x.data(), s.k, s.stride, s.mean.data());
      }
      take_mean(s.z.data(), s.k, s.stride, s.mean.data());
      const double noise = std::max(variance * s.n, 1e-12);
      if (kind_ == Kind::first)
        combine_noisy(s, noise);
      else
        combine_known(s, share * share * noise);
      // Weight of a patch: one over the noise left in it.
      for (int j = 0; j < s.k; ++j) {
        float& norm = s.norms[static_cast<std::size_t>(j)];
        norm = 1.f / std::max(norm, 1.f / static_cast<float>(s.k));
      }
      const float *out = s.out.data(), *z = s.z.data();
      scatter(s, width, size, sum_x_.data() + plane, [out](std::ptrdiff_t i) { return out[i]; });
      for (int j = 0; j < s.k; ++j)
        weights_.data()[plane + s.offsets[static_cast<std::size_t>(j)]] +=
            s.norms[static_cast<std::size_t>(j)];
      if (kind_ != Kind::iterated) continue;
      const auto left = static_cast<float>(tau_ / share);
      scatter(s, width, size, sum_z_.data() + plane,
              [out, z, left](std::ptrdiff_t i) { return out[i] + left * (z[i] - out[i]); });
    }
  }

  /// Standard deviation of y - z in the group: what earlier passes took away.
  static double removed(const Scratch& s) {
    const Difference d = difference(s.y.data(), s.z.data(), s.k, s.stride);
    const double count = static_cast<double>(s.n) * s.k, mean = d.sum / count;
    return std::sqrt(std::max(0.0, d.squares / count - mean * mean));
  }

  /// Nothing is known but the noisy patches, so Q = Z Z'. As many rows as patches, which are few.
  static void combine_noisy(Scratch& s, double noise) {
    constexpr double kRidge = 0.05;  // a little more noise keeps Q away from singular
    transpose(s.z.data(), s.stride, s.k, s.n, s.b.data(), s.across);
    product(s.b.data(), s.across, s.b.data(), s.across, s.n, s.k, s.a.data());
    if (!add_diagonal(s.a.data(), s.across, s.k, kRidge * noise, s.k)) return leave_alone(s);
    factor(s.a.data(), s.across, s.k);
    std::ranges::fill(s.c.values(), 0.f);
    for (int j = 0; j < s.k; ++j) s.c.data()[static_cast<std::ptrdiff_t>(j) * (s.across + 1)] = 1.f;
    solve(s.a.data(), s.across, s.k, s.c.data(), s.across);
    weights_from_inverse(s.c.data(), s.k, s.across, static_cast<float>((1 + kRidge) * noise),
                         s.norms.data());
    product(s.c.data(), s.across, s.z.data(), s.stride, s.k, s.k, s.out.data());
  }

  /// Q = X X' + d I of what is known of the patches, which have the mean 0. By the matrix inversion
  /// lemma Theta = X M X' + 1 1' / k with M = (X' X + d I)^-1: a matrix of as many rows as pixels,
  /// fewer than there are patches.
  static void combine_known(Scratch& s, double noise) {
    product(s.x.data(), s.stride, s.x.data(), s.stride, s.k, s.n, s.a.data());
    if (!add_diagonal(s.a.data(), s.stride, s.n, noise, s.k)) return leave_alone(s);
    factor(s.a.data(), s.stride, s.n);
    transpose(s.x.data(), s.stride, s.k, s.n, s.b.data(), s.across);
    std::ranges::copy(s.b.values(), s.c.data());
    solve(s.a.data(), s.stride, s.n, s.c.data(), s.across);
    norms_of(s.b.data(), s.c.data(), s.n, s.k, s.across, static_cast<float>(noise), s.norms.data());
    product(s.x.data(), s.stride, s.z.data(), s.stride, s.k, s.n, s.a.data());
    product(s.a.data(), s.stride, s.c.data(), s.across, s.n, s.n, s.b.data());
    transpose(s.b.data(), s.across, s.n, s.k, s.out.data(), s.stride);
  }

  /// Adds d to the diagonal of products of a group's patches, and makes it 1 where there are none.
  /// Returns whether it is not too little: beside the spread of the patches so weak that floats
  /// could not invert the sum. Nor would such noise be seen.
  static bool add_diagonal(float* q, int stride, int rows, double d, int patches) {
    constexpr double kNone = 3e-5;
    double spread = 0;
    for (int i = 0; i < rows_of(rows); ++i) {
      float& at = q[static_cast<std::ptrdiff_t>(i) * (stride + 1)];
      spread += static_cast<double>(at);
      at = i < rows ? at + static_cast<float>(d) : 1.f;
    }
    return d * patches >= kNone * spread;
  }

  static void leave_alone(Scratch& s) {
    std::ranges::copy(s.z.values(), s.out.data());
    std::ranges::fill(s.norms, 1.f);
  }

  void divide(Tensor& sums) const {
    for (std::size_t i = 0; i < sums.count(); ++i) sums.data()[i] /= weights_.data()[i];
  }

  const Pass& pass_;
  Kind kind_;
  double tau_;
  const Tensor &y_, &x_, &z_;
  Shape shape_;
  Tensor sum_x_, sum_z_, weights_;
};

}  // namespace

Tensor Pass::first_estimate(const Tensor& y) const {
  Run run(*this, Kind::first, 0, y, y, y);
  return run.go() ? run.take_x() : Tensor();
}

Tensor Pass::with_pilot(const Tensor& y, const Tensor& pilot) const {
  Run run(*this, Kind::pilot, 0, y, pilot, y);
  return run.go() ? run.take_x() : Tensor();
}

bool Pass::remove_noise(const Tensor& y, double tau, Tensor& x, Tensor& z) const {
  Run run(*this, Kind::iterated, tau, y, x, z);
  if (!run.go()) return false;
  x = run.take_x();
  z = run.take_z();
  return true;
}

}  // namespace unmar::patches
