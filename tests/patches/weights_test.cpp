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

/// One for each patch: some have more noise.
Row unequal_variances() {
  const Tensor u = uniform({1, 1, 1, kPatches}, "variances");
  Row d;
  for (const float v : u.values()) d.push_back(kPixels * (0.005 + 0.02 * static_cast<double>(v)));
  return d;
}

/// Theta as the filter computes it.
Matrix theta_of_kernels(const Matrix& x, const Row& d) {
  const int stride = patches::stride_of(kPatches);
  const auto columns = static_cast<std::size_t>(stride);
  std::vector<float> group(kPixels * columns), q(columns * columns), variances(columns),
      norms(columns);
  for (std::size_t j = 0; j < kPatches; ++j)
    for (std::size_t p = 0; p < kPixels; ++p) group[p * columns + j] = static_cast<float>(x[j][p]);
  patches::gram(group.data(), kPixels, stride, q.data());
  for (std::size_t j = 0; j < columns; ++j) {
    if (j < kPatches) variances[j] = static_cast<float>(d[j]);
    q[j * columns + j] += j < kPatches ? variances[j] : 1.f;
  }
  patches::invert(q.data(), stride);
  patches::weights_from_inverse(q.data(), kPatches, stride, variances.data(), norms.data());
  Matrix theta(kPatches, Row(kPatches));
  for (std::size_t r = 0; r < kPatches; ++r)
    for (std::size_t c = 0; c < kPatches; ++c)
      theta[r][c] = static_cast<double>(q[c * columns + r]);
  return theta;
}

/// |x_r - weights X|^2 + weights D weights'.
double objective(const Matrix& x, const Row& d, std::size_t r, const Row& weights) {
  double sum = 0;
  for (std::size_t p = 0; p < kPixels; ++p) {
    double left = x[r][p];
    for (std::size_t j = 0; j < kPatches; ++j) left -= weights[j] * x[j][p];
    sum += left * left;
  }
  for (std::size_t j = 0; j < kPatches; ++j) sum += weights[j] * weights[j] * d[j];
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
    for (const Row& row : theta_of_kernels(alike(), unequal_variances()))
      EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1, kRounding);
  });
}

TEST(Weights, of_the_closed_form_solve_the_equations_of_the_constrained_minimum) {
  // theta (X X' + D) = x_r X' + multiplier 1', theta 1 = 1.
  constexpr double kDoubleRounding = 1e-9;
  const Matrix x = alike();
  const Row d = unequal_variances();
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
  const Row d = unequal_variances();
  const Matrix best = theta_of_kernels(x, d);
  for (std::size_t r = 0; r < kPatches; ++r) {
    const double least = objective(x, d, r, best[r]);
    for (const double size : {1e-3, 1e-2, 0.3})
      for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Row other = zero_sum(seed, size);
        for (std::size_t j = 0; j < kPatches; ++j) other[j] += best[r][j];
        EXPECT_GT(objective(x, d, r, other), least - kSlope * kRounding * size);
        if (size > 0.1) {
          EXPECT_GT(objective(x, d, r, other), least);
        }
      }
  }
}

TEST(Weights, are_those_of_the_patch_alone_without_noise_and_all_equal_with_nothing_else) {
  constexpr double kRounding = 1e-3, kNearly = 1e-3;
  const Matrix alone = theta_of_kernels(alike(), Row(kPatches, 1e-4));
  const Matrix equal = theta_of_kernels(alike(), Row(kPatches, 1e5));
  for (std::size_t r = 0; r < kPatches; ++r)
    for (std::size_t c = 0; c < kPatches; ++c) {
      EXPECT_NEAR(alone[r][c], r == c ? 1 : 0, kRounding);
      EXPECT_NEAR(equal[r][c], 1.0 / kPatches, kNearly);
    }
}

}  // namespace weights_test
}  // namespace unmar::test
