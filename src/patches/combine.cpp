#include "patches/combine.h"

#include <algorithm>
#include <cmath>

#include "patches/kernels.h"

namespace unmar::patches {
namespace {

/// Below this share of the noise the sums of squares of a float no longer tell D from rounding.
constexpr double kLeastShare = 0.02;

std::ptrdiff_t plane_size(const Shape& s) { return static_cast<std::ptrdiff_t>(s.h) * s.w; }

/// What one thread works with.
struct Scratch {
  explicit Scratch(const Groups& groups)
      : k(groups.count()),
        stride(stride_of(k)),
        n(groups.size() * groups.size()),
        x(Shape{1, 1, n, stride}),
        z(x),
        out(x),
        theta(Shape{1, 1, stride, stride}),
        variance(Shape{1, 1, 1, stride}, 0.f),
        norms(variance),
        offsets(static_cast<std::size_t>(k)),
        mean(static_cast<std::size_t>(n)) {}

  int k, stride, n;
  Tensor x, z, out, theta, variance, norms;
  std::vector<std::ptrdiff_t> offsets;
  std::vector<float> mean;
};

/// The group's patches of `plane`, one column each.
void gather(const float* plane, int width, int size, const Scratch& s, Tensor& to) {
  for (int j = 0; j < s.k; ++j) {
    const float* patch = plane + s.offsets[static_cast<std::size_t>(j)];
    float* column = to.data() + j;
    for (int r = 0; r < size; ++r, patch += width)
      for (int i = 0; i < size; ++i, column += s.stride) *column = patch[i];
  }
}

/// Takes the mean patch off, and returns it: weights that sum to one leave it alone, and small
/// numbers keep their digits.
void centre(Scratch& s, Tensor& group) {
  for (int p = 0; p < s.n; ++p) {
    float* row = group.data() + static_cast<std::ptrdiff_t>(p) * s.stride;
    float sum = 0.f;
    for (int j = 0; j < s.k; ++j) sum += row[j];
    const float mean = sum / static_cast<float>(s.k);
    for (int j = 0; j < s.k; ++j) row[j] -= mean;
    s.mean[static_cast<std::size_t>(p)] = mean;
  }
}

/// Adds the combinations, weighted, to the plane.
void scatter(const Scratch& s, int width, int size, float* plane) {
  for (int j = 0; j < s.k; ++j) {
    float* patch = plane + s.offsets[static_cast<std::size_t>(j)];
    const float* column = s.out.data() + j;
    const float weight = s.norms.data()[j];
    for (int r = 0; r < size; ++r, patch += width)
      for (int i = 0; i < size; ++i, column += s.stride) patch[i] += weight * *column;
  }
}

void scatter_weights(const Scratch& s, int width, int size, float* plane) {
  for (int j = 0; j < s.k; ++j) {
    float* patch = plane + s.offsets[static_cast<std::size_t>(j)];
    const float weight = s.norms.data()[j];
    for (int r = 0; r < size; ++r, patch += width)
      for (int i = 0; i < size; ++i) patch[i] += weight;
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
      std::fill_n(s.variance.data(), s.k, static_cast<float>(variance * s.n));
      gather(z_.data() + plane, width, size, s, s.z);
      double share = 1;
      if (kind_ == Kind::iterated) {
        gather(y_.data() + plane, width, size, s, s.out);
        share = std::max({1 - spread(s) / std::sqrt(std::max(variance, 1e-30)), tau_, kLeastShare});
      }
      if (kind_ != Kind::first) {
        gather(x_.data() + plane, width, size, s, s.x);
        centre(s, s.x);
      }
      centre(s, s.z);
      find_weights(s, share);
      combine(s.z.data(), s.theta.data(), s.n, s.k, s.stride, s.out.data());
      // Weight of a patch: one over the noise left in it.
      for (int j = 0; j < s.k; ++j)
        s.norms.data()[j] = 1.f / std::max(s.norms.data()[j], 1.f / static_cast<float>(s.k));
      add_mean(s, s.out);
      scatter(s, width, size, sum_x_.data() + plane);
      scatter_weights(s, width, size, weights_.data() + plane);
      if (kind_ != Kind::iterated) continue;
      const auto left = static_cast<float>(tau_ / share);
      add_mean(s, s.z);
      for (std::size_t i = 0; i < s.out.count(); ++i)
        s.out.data()[i] += left * (s.z.data()[i] - s.out.data()[i]);
      scatter(s, width, size, sum_z_.data() + plane);
    }
  }

  /// Standard deviation of y - z in the group: y is in s.out.
  static double spread(const Scratch& s) {
    double sum = 0, squares = 0;
    for (int p = 0; p < s.n; ++p)
      for (int j = 0; j < s.k; ++j) {
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(p) * s.stride + j;
        const double d = static_cast<double>(s.out.data()[at] - s.z.data()[at]);
        sum += d;
        squares += d * d;
      }
    const double count = static_cast<double>(s.n) * s.k;
    return std::sqrt(std::max(0.0, squares / count - sum / count * (sum / count)));
  }

  void find_weights(Scratch& s, double share) const {
    // The first estimate has nothing but noisy patches: a little more noise keeps Q away from
    // singular.
    constexpr double kRidge = 0.05;
    const Tensor& known = kind_ == Kind::first ? s.z : s.x;
    const double noise = kind_ == Kind::first ? 1 + kRidge : share * share;
    const double diagonal = kind_ == Kind::first ? kRidge : noise;
    gram(known.data(), s.n, s.stride, s.theta.data());
    if (has_no_noise(s, diagonal)) return leave_alone(s);
    for (int j = 0; j < s.stride; ++j) {
      float& d = s.variance.data()[j];
      const float v = std::max(d, 1e-12f);
      s.theta.data()[static_cast<std::ptrdiff_t>(j) * s.stride + j] +=
          j < s.k ? static_cast<float>(diagonal) * v : 1.f;
      d = j < s.k ? static_cast<float>(noise) * v : 0.f;
    }
    invert(s.theta.data(), s.stride);
    weights_from_inverse(s.theta.data(), s.k, s.stride, s.variance.data(), s.norms.data());
  }

  /// Whether the noise is so weak beside the spread of the patches, whose products are in theta,
  /// that floats could not invert their sum; nor would it be seen.
  static bool has_no_noise(const Scratch& s, double diagonal) {
    constexpr double kNone = 3e-5;
    double spread = 0, noise = 0;
    for (int j = 0; j < s.k; ++j) {
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(j) * (s.stride + 1);
      spread += static_cast<double>(s.theta.data()[at]);
      noise += diagonal * static_cast<double>(s.variance.data()[j]);
    }
    return noise < kNone * spread;
  }

  static void leave_alone(Scratch& s) {
    std::fill(s.theta.values().begin(), s.theta.values().end(), 0.f);
    for (int j = 0; j < s.k; ++j) {
      s.theta.data()[static_cast<std::ptrdiff_t>(j) * (s.stride + 1)] = 1.f;
      s.norms.data()[j] = 1.f;
    }
  }

  static void add_mean(const Scratch& s, Tensor& group) {
    for (int p = 0; p < s.n; ++p) {
      float* row = group.data() + static_cast<std::ptrdiff_t>(p) * s.stride;
      const float mean = s.mean[static_cast<std::size_t>(p)];
      for (int j = 0; j < s.k; ++j) row[j] += mean;
    }
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
