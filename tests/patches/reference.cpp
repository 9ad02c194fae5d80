#include "patches/reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace unmar::test {
namespace {

Picture turned(const Picture& p, bool back) {
  Picture result(p.c, p.h, p.w, 0);
  for (int o = 0; o < p.c; ++o)
    for (int i = 0; i < p.c; ++i) {
      const double weight = std::sqrt((o == 0 ? 1.0 : 2.0) / p.c) *
                            std::cos(std::numbers::pi * o * (2 * i + 1) / (2 * p.c));
      for (int y = 0; y < p.h; ++y)
        for (int x = 0; x < p.w; ++x)
          result.at(back ? i : o, y, x) += weight * p.at(back ? o : i, y, x);
    }
  return result;
}

/// Where groups are looked for along one side.
std::vector<int> centres(int places, int step) {
  std::vector<int> list;
  for (int i = 0; i < places; ++i)
    if (i % step == 0 || i == places - 1) list.push_back(i);
  return list;
}

double distance(const Picture& p, Place a, Place b, int size) {
  double sum = 0;
  for (int v = 0; v < size; ++v)
    for (int u = 0; u < size; ++u) {
      const double d = p.at(0, a.y + v, a.x + u) - p.at(0, b.y + v, b.x + u);
      sum += d * d;
    }
  return sum;
}

/// The patches of a group in one channel, one a row.
Matrix patches(const Picture& p, int c, const std::vector<Place>& places, int size) {
  Matrix rows;
  for (const Place& place : places) {
    Row row;
    for (int v = 0; v < size; ++v)
      for (int u = 0; u < size; ++u) row.push_back(p.at(c, place.y + v, place.x + u));
    rows.push_back(row);
  }
  return rows;
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c(a.size(), Row(b[0].size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < b.size(); ++k)
      for (std::size_t j = 0; j < b[0].size(); ++j) c[i][j] += a[i][k] * b[k][j];
  return c;
}

/// Sums of patches, each as heavy as it has little noise.
struct Sums {
  Sums(const Picture& p) : sum(p.c, p.h, p.w, 0), weight(sum) {}

  void add(const Matrix& rows, const Row& weights, int c, const std::vector<Place>& places,
           int size) {
    for (std::size_t j = 0; j < places.size(); ++j)
      for (int v = 0; v < size; ++v)
        for (int u = 0; u < size; ++u) {
          const int y = places[j].y + v, x = places[j].x + u;
          sum.at(c, y, x) += weights[j] * rows[j][static_cast<std::size_t>(v * size + u)];
          weight.at(c, y, x) += weights[j];
        }
  }
  Picture mean() const {
    Picture p = sum;
    for (std::size_t i = 0; i < p.values.size(); ++i) p.values[i] /= weight.values[i];
    return p;
  }

  Picture sum, weight;
};

/// A patch that is the combination of k weighs one over the noise that the weights leave, at most
/// as much as the mean of all k.
Row weights_of(const Matrix& theta) {
  Row weights;
  for (const Row& row : theta) {
    const double squares = std::inner_product(row.begin(), row.end(), row.begin(), 0.0);
    weights.push_back(1 / std::max(squares, 1 / static_cast<double>(row.size())));
  }
  return weights;
}

/// The variance of each patch: of all of its pixels together.
Row of_patches(double variance, const std::vector<Place>& places, int size) {
  return Row(places.size(), variance * size * size);
}

Row scaled(Row values, double factor) {
  for (double& v : values) v *= factor;
  return values;
}

double deviation(const Matrix& a, const Matrix& b) {
  double sum = 0, squares = 0, count = 0;
  for (std::size_t j = 0; j < a.size(); ++j)
    for (std::size_t i = 0; i < a[j].size(); ++i) {
      const double d = a[j][i] - b[j][i];
      sum += d, squares += d * d, count += 1;
    }
  return std::sqrt(std::max(0.0, squares / count - std::pow(sum / count, 2)));
}

/// What src/patches/options.h calls kStrength.
constexpr double kTakenForStronger = 1.03;

Row variances_of(const Picture& like, double sigma) {
  return Row(static_cast<std::size_t>(like.c), std::pow(kTakenForStronger * sigma, 2));
}

}  // namespace

Picture::Picture(const Tensor& t)
    : c(t.shape().c),
      h(t.shape().h),
      w(t.shape().w),
      values(t.values().begin(), t.values().end()) {}

Picture::Picture(int channels, int height, int width, double value)
    : c(channels),
      h(height),
      w(width),
      values(static_cast<std::size_t>(channels * height * width), value) {}

Tensor Picture::to_tensor() const {
  Tensor t({1, c, h, w});
  for (std::size_t i = 0; i < values.size(); ++i) t.data()[i] = static_cast<float>(values[i]);
  return t;
}

Picture opponent(const Picture& p) { return turned(p, false); }
Picture from_opponent(const Picture& p) { return turned(p, true); }

Grouping group(const Picture& p, int size, int count, int radius, int step) {
  Grouping result;
  result.size = std::min({size, p.h, p.w});
  step = std::min(step, result.size);  // else there are pixels in no patch
  const int down = p.h - result.size + 1, across = p.w - result.size + 1;
  // Every group has as many members as the smallest window, that of a corner, has places.
  count = std::min(count, std::min(radius + 1, down) * std::min(radius + 1, across));
  for (const int cy : centres(down, step))
    for (const int cx : centres(across, step)) {
      struct Candidate {
        double distance;
        Place place;
      };
      std::vector<Candidate> others;
      for (int y = std::max(0, cy - radius); y <= std::min(down - 1, cy + radius); ++y)
        for (int x = std::max(0, cx - radius); x <= std::min(across - 1, cx + radius); ++x)
          if (y != cy || x != cx)
            others.push_back({distance(p, {cy, cx}, {y, x}, result.size), {y, x}});
      std::stable_sort(others.begin(), others.end(), [](const Candidate& a, const Candidate& b) {
        return a.distance < b.distance;
      });
      const auto most = static_cast<std::size_t>(count - 1);  // beside the patch itself
      if (most > 0 && most < others.size())
        result.closest_call =
            std::min(result.closest_call, 1 - others[most - 1].distance / others[most].distance);
      std::vector<Place> members{{cy, cx}};
      for (std::size_t i = 0; i < most; ++i) members.push_back(others[i].place);
      std::sort(members.begin(), members.end(),
                [](Place a, Place b) { return a.y != b.y ? a.y < b.y : a.x < b.x; });
      result.groups.push_back(members);
    }
  return result;
}

Row solved(Matrix a, Row b) {
  const std::size_t n = b.size();
  for (std::size_t p = 0; p < n; ++p) {
    std::size_t best = p;
    for (std::size_t r = p; r < n; ++r)
      if (std::abs(a[r][p]) > std::abs(a[best][p])) best = r;
    std::swap(a[p], a[best]), std::swap(b[p], b[best]);
    for (std::size_t r = p + 1; r < n; ++r) {
      const double factor = a[r][p] / a[p][p];
      for (std::size_t c = p; c < n; ++c) a[r][c] -= factor * a[p][c];
      b[r] -= factor * b[p];
    }
  }
  for (std::size_t p = n; p-- > 0;) {
    for (std::size_t c = p + 1; c < n; ++c) b[p] -= a[p][c] * b[c];
    b[p] /= a[p][p];
  }
  return b;
}

Matrix theta(const Matrix& known, const Row& d, const Row& diagonal) {
  const std::size_t k = known.size();
  Matrix q(k, Row(k));
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = 0; j < k; ++j)
      q[i][j] = std::inner_product(known[i].begin(), known[i].end(), known[j].begin(), 0.0);
    q[i][i] += diagonal[i];
  }
  Matrix v;  // symmetric, so its columns are its rows
  for (std::size_t i = 0; i < k; ++i) {
    Row unit(k);
    unit[i] = 1;
    v.push_back(solved(q, unit));
  }
  const Row u = solved(q, Row(k, 1.0));
  const double total = std::accumulate(u.begin(), u.end(), 0.0);
  Matrix result(k, Row(k));
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < k; ++j)
      result[i][j] = (i == j ? 1 : 0) - d[i] * (v[i][j] - u[i] * u[j] / total);
  return result;
}

Picture first_estimate(const Grouping& g, const Row& variances, const Picture& y) {
  constexpr double kRidge = 0.05;  ///< the noise counts for so much more
  Sums sums(y);
  for (int c = 0; c < y.c; ++c)
    for (const auto& places : g.groups) {
      const Matrix noisy = patches(y, c, places, g.size);
      const Row d = of_patches(variances[static_cast<std::size_t>(c)], places, g.size);
      // P P' in expectation: Y Y' - D.
      const Matrix weights = theta(noisy, scaled(d, 1 + kRidge), scaled(d, kRidge));
      sums.add(product(weights, noisy), weights_of(weights), c, places, g.size);
    }
  return sums.mean();
}

Picture with_pilot(const Grouping& g, const Row& variances, const Picture& y,
                   const Picture& pilot) {
  Sums sums(y);
  for (int c = 0; c < y.c; ++c)
    for (const auto& places : g.groups) {
      const Row d = of_patches(variances[static_cast<std::size_t>(c)], places, g.size);
      const Matrix weights = theta(patches(pilot, c, places, g.size), d, d);
      sums.add(product(weights, patches(y, c, places, g.size)), weights_of(weights), c, places,
               g.size);
    }
  return sums.mean();
}

void remove_noise(const Grouping& g, const Row& variances, const Picture& y, double tau, Picture& x,
                  Picture& z) {
  constexpr double kLeastShare = 0.02;
  Sums clean(y), less_noisy(y);
  for (int c = 0; c < y.c; ++c)
    for (const auto& places : g.groups) {
      const Row d = of_patches(variances[static_cast<std::size_t>(c)], places, g.size);
      const Matrix noisy = patches(z, c, places, g.size);
      const double values = static_cast<double>(d.size()) * g.size * g.size;
      const double sigma = std::sqrt(std::accumulate(d.begin(), d.end(), 0.0) / values);
      // The share of the noise that is still in z: what was taken away already is y - z.
      const double gone = deviation(patches(y, c, places, g.size), noisy) / sigma;
      const double share = std::max({1 - gone, tau, kLeastShare});
      const Row left = scaled(d, share * share);
      const Matrix weights = theta(patches(x, c, places, g.size), left, left);
      const Matrix combined = product(weights, noisy);
      Matrix partly = combined;
      for (std::size_t j = 0; j < partly.size(); ++j)
        for (std::size_t i = 0; i < partly[j].size(); ++i)
          partly[j][i] = (1 - tau / share) * combined[j][i] + tau / share * noisy[j][i];
      clean.add(combined, weights_of(weights), c, places, g.size);
      less_noisy.add(partly, weights_of(weights), c, places, g.size);
    }
  x = clean.mean();
  z = less_noisy.mean();
}

Filtered filtered(const Tensor& noisy, double sigma, const FilterOptions& options) {
  const Picture y = opponent(Picture(noisy));
  const Row variances = variances_of(y, sigma);
  Grouping grouping = group(y, 7, 18, options.radius, 4);
  double closest_call = grouping.closest_call;
  Picture x = first_estimate(grouping, variances, y), z = y;
  for (int i = 0; i < options.iterations; ++i) {
    if (i % 3 == 0) {
      grouping = group(z, options.size, options.group, options.radius, options.step);
      closest_call = std::min(closest_call, grouping.closest_call);
    }
    remove_noise(grouping, variances, y, 0.75 * (1 - (i + 1.0) / options.iterations), x, z);
  }
  return {from_opponent(x).to_tensor(), closest_call};
}

Filtered filtered_with_pilot(const Tensor& noisy, const Tensor& guide, double sigma, int radius) {
  const Picture y = opponent(Picture(noisy)), pilot = opponent(Picture(guide));
  const Grouping grouping = group(pilot, 7, 55, radius, 4);
  return {from_opponent(with_pilot(grouping, variances_of(y, sigma), y, pilot)).to_tensor(),
          grouping.closest_call};
}

}  // namespace unmar::test
