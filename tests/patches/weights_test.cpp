#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "patches/kernels.h"
#include "patches/reference.h"
#include "patches/support.h"

namespace unmar::test {
namespace weights_test {

constexpr int kPatches = 20, kPixels = 36;

/// Patches that are alike, one a row.
Matrix alike() {
  const Tensor base = uniform({1, 1, 1, kPixels}, "base");
  const Tensor own = noisy(Tensor({1, 1, kPatches, kPixels}), 0.1);
  Matrix x;
  for (int r = 0; r < kPatches; ++r) {
    Row& row = x.emplace_back();
    for (int i = 0; i < kPixels; ++i)
      row.push_back(static_cast<double>(base.at(0, 0, 0, i) + own.at(0, 0, r, i)));
  }
  return x;
}

constexpr double kNoise = kPixels * 0.015;  ///< on the diagonal of D

std::vector<float> columns_of(const Matrix& x, int stride) {
  std::vector<float> group(x.front().size() * static_cast<std::size_t>(stride));
  for (std::size_t j = 0; j < x.size(); ++j)
    for (std::size_t p = 0; p < x[j].size(); ++p)
      group[p * static_cast<std::size_t>(stride) + j] = static_cast<float>(x[j][p]);
  return group;
}

/// U of group' group + d I.
std::vector<float> factored(const std::vector<float>& group, int stride, int rows, int n,
                            double d) {
  const auto columns = static_cast<std::size_t>(stride);
  std::vector<float> u(static_cast<std::size_t>(n) * columns);
  patches::product(group.data(), stride, group.data(), stride, rows, n, u.data());
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
    u[i * columns + i] += static_cast<float>(d);
  patches::factor(u.data(), stride, n);
  return u;
}

/// As many rows as patches: how the filter weighs a group of which nothing but noisy patches is
/// known.
Matrix theta_by_patches(const Matrix& x, double d) {
  const int stride = patches::stride_of(kPatches);
  const auto columns = static_cast<std::size_t>(stride);
  const auto u = factored(columns_of(x, stride), stride, kPixels, kPatches, d);
  std::vector<float> v(kPatches * columns), norms(columns);
  for (std::size_t j = 0; j < kPatches; ++j) v[j * columns + j] = 1.f;
  patches::solve(u.data(), stride, kPatches, v.data(), stride);
  patches::weights_from_inverse(v.data(), kPatches, stride, static_cast<float>(d), norms.data());
  Matrix theta(kPatches, Row(kPatches));
  for (std::size_t r = 0; r < kPatches; ++r)
    for (std::size_t c = 0; c < kPatches; ++c)
      theta[r][c] = static_cast<double>(v[r * columns + c]);
  return theta;
}

/// As many rows as pixels: the same weights, of which the filter needs no more than their products
/// and sums of squares.
Matrix theta_by_pixels(const Matrix& x, double d) {
  constexpr double kSquares = 1e-4;  // rounding of sums near 1
  const int stride = patches::stride_of(kPixels), across = patches::stride_of(kPatches);
  std::vector<float> group(kPatches * static_cast<std::size_t>(stride));
  for (std::size_t j = 0; j < kPatches; ++j)
    for (std::size_t p = 0; p < kPixels; ++p)
      group[j * static_cast<std::size_t>(stride) + p] = static_cast<float>(x[j][p]);
  std::vector<float> mean(static_cast<std::size_t>(stride)),
      norms(static_cast<std::size_t>(across)), turned(kPixels * static_cast<std::size_t>(across));
  patches::take_mean(group.data(), kPatches, stride, mean.data());
  const auto u = factored(group, stride, kPatches, kPixels, d);
  patches::transpose(group.data(), stride, kPatches, kPixels, turned.data(), across);
  auto y = turned;
  patches::solve(u.data(), stride, kPixels, y.data(), across);
  patches::norms_of(turned.data(), y.data(), kPixels, kPatches, across, static_cast<float>(d),
                    norms.data());
  Matrix theta(kPatches, Row(kPatches, 1.0 / kPatches));
  for (std::size_t r = 0; r < kPatches; ++r) {
    double squares = 0;
    for (std::size_t c = 0; c < kPatches; ++c) {
      for (std::size_t p = 0; p < kPixels; ++p) {
        const std::size_t row = p * static_cast<std::size_t>(across);
        theta[r][c] += static_cast<double>(y[row + r] * turned[row + c]);
      }
      squares += theta[r][c] * theta[r][c];
    }
    EXPECT_NEAR(static_cast<double>(norms[r]), squares, kSquares) << "combination " << r;
  }
  return theta;
}

constexpr auto kWays = {theta_by_patches, theta_by_pixels};

/// |x_r - weights X|^2 + weights D weights'.
double objective(const Matrix& x, double d, std::size_t r, const Row& weights) {
  double sum = 0;
  for (std::size_t p = 0; p < kPixels; ++p) {
    double left = x[r][p];
    for (std::size_t j = 0; j < kPatches; ++j) left -= weights[j] * x[j][p];
    sum += left * left;
  }
  for (std::size_t j = 0; j < kPatches; ++j) sum += weights[j] * weights[j] * d;
  return sum;
}

/// Random, and their sum is 0.
Row zero_sum(std::uint64_t seed, double size) {
  std::vector<float> draws(kPatches);
  Random(seed, "perturbation").normal(draws);
  Row step(draws.begin(), draws.end());
  const double mean = std::accumulate(step.begin(), step.end(), 0.0) / kPatches;
  for (double& v : step) v = size * (v - mean) / std::sqrt(kPatches);
  return step;
}

TEST(Weights, sum_to_one_in_each_combination) {
  // 20 weights of up to 1, each rounded to 2^-24.
  constexpr double kRounding = 5e-6;
  on_every_instruction_set([] {
    for (const auto way : kWays)
      for (const Row& row : way(alike(), kNoise))
        EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1, kRounding);
  });
}

TEST(Weights, of_the_closed_form_solve_the_equations_of_the_constrained_minimum) {
  // theta (X X' + D) = x_r X' + multiplier 1', theta 1 = 1.
  constexpr double kDoubleRounding = 1e-9;
  const Matrix x = alike();
  const Row d(kPatches, kNoise);
  const Matrix closed = theta(x, d, d);
  for (std::size_t r = 0; r < kPatches; ++r) {
    Matrix a(kPatches + 1, Row(kPatches + 1, 1.0));
    Row b(kPatches + 1, 1.0);
    for (std::size_t i = 0; i < kPatches; ++i) {
      for (std::size_t j = 0; j < kPatches; ++j)
        a[i][j] = std::inner_product(x[i].begin(), x[i].end(), x[j].begin(), i == j ? d[i] : 0.0);
      b[i] = std::inner_product(x[i].begin(), x[i].end(), x[r].begin(), 0.0);
    }
    a[kPatches][kPatches] = 0;
    const Row direct = solved(a, b);
    for (std::size_t j = 0; j < kPatches; ++j)
      EXPECT_NEAR(closed[r][j], direct[j], kDoubleRounding);
  }
}

TEST(Weights, cannot_be_changed_for_the_better) {
  // A step of length s costs at least the least variance times s^2; rounding of the weights to
  // 1e-6 may give back 1e-6 times s times the slope of the sum of squares, which is below 100.
  constexpr double kSlope = 100, kRounding = 1e-6;
  const Matrix x = alike();
  for (const auto way : kWays) {
    const Matrix best = way(x, kNoise);
    for (std::size_t r = 0; r < kPatches; ++r) {
      const double least = objective(x, kNoise, r, best[r]);
      for (const double size : {1e-3, 1e-2, 0.3})
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
          Row other = zero_sum(seed, size);
          for (std::size_t j = 0; j < kPatches; ++j) other[j] += best[r][j];
          const double changed = objective(x, kNoise, r, other);
          EXPECT_GT(changed, least - kSlope * kRounding * size);
          if (size > 0.1) {
            EXPECT_GT(changed, least);
          }
        }
    }
  }
}

TEST(Weights, are_those_of_the_patch_alone_without_noise_and_all_equal_with_nothing_else) {
  constexpr double kRounding = 1e-3, kNearly = 1e-3;
  for (const auto way : kWays) {
    const Matrix alone = way(alike(), 1e-4), equal = way(alike(), 1e5);
    for (std::size_t r = 0; r < kPatches; ++r)
      for (std::size_t c = 0; c < kPatches; ++c) {
        EXPECT_NEAR(alone[r][c], r == c ? 1 : 0, kRounding);
        EXPECT_NEAR(equal[r][c], 1.0 / kPatches, kNearly);
      }
  }
}

}  // namespace weights_test
}  // namespace unmar::test
