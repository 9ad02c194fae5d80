#include "patches/kernels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "patches/reference.h"
#include "patches/support.h"

namespace unmar::test {
namespace kernels_test {

using patches::rows_of;
using patches::stride_of;

/// Of sums of up to 256 products of numbers up to 1, relative to the largest: rounding adds up to
/// 2^-24 times the square root of their number, here with room for a factor of 20.
constexpr double kRounding = 2e-5;

constexpr int kCounts[] = {1, 7, 16, 20, 55, 64};
constexpr int kPixels[] = {1, 4, 9, 36, 49, 81, 256};
constexpr float kGuard = 12345.f;
constexpr std::size_t kGuards = 64;

std::size_t places(int rows, int columns) { return static_cast<std::size_t>(rows * columns); }

/// NaN, for a kernel to write to, and behind it numbers that must stay.
std::vector<float> to_be_written(std::size_t count) {
  std::vector<float> values(count, kNan);
  values.resize(count + kGuards, kGuard);
  return values;
}

void expect_guards(const std::vector<float>& values) {
  for (std::size_t i = values.size() - kGuards; i < values.size(); ++i)
    ASSERT_EQ(values[i], kGuard) << "written " << i + kGuards - values.size() << " behind the end";
}

/// k rows of n random numbers in [-1, 1); zeros in the columns up to the stride and in rows up to a
/// multiple of four.
std::vector<float> random_group(int k, int n, const char* name) {
  std::vector<float> group(places(rows_of(k), stride_of(n)));
  Random(1, name).uniform(group, -1.f, 1.f);
  for (std::size_t i = 0; i < group.size(); ++i)
    if (static_cast<int>(i) % stride_of(n) >= n || static_cast<int>(i) / stride_of(n) >= k)
      group[i] = 0.f;
  return group;
}

double at(const std::vector<float>& m, int stride, int row, int column) {
  return static_cast<double>(m[static_cast<std::size_t>(row * stride + column)]);
}

/// Symmetric positive definite, as Q of a group: k x k, and the unit matrix beyond.
std::vector<float> definite(int k, double ridge) {
  const int stride = stride_of(k), n = 36;
  const auto group = random_group(n, k, "definite");
  std::vector<float> q(places(rows_of(k), stride));
  for (int i = 0; i < rows_of(k); ++i)
    for (int j = 0; j < stride; ++j) {
      double sum = 0;
      for (int p = 0; p < n; ++p) sum += at(group, stride, p, i) * at(group, stride, p, j);
      if (i == j) sum += i < k ? ridge : 1;
      q[static_cast<std::size_t>(i * stride + j)] = static_cast<float>(sum);
    }
  return q;
}

/// The upper left k x k of it.
Matrix inverse_of(const std::vector<float>& q, int k) {
  Matrix square(static_cast<std::size_t>(k));
  for (int i = 0; i < k; ++i)
    for (int j = 0; j < k; ++j)
      square[static_cast<std::size_t>(i)].push_back(at(q, stride_of(k), i, j));
  Matrix columns;
  for (int i = 0; i < k; ++i) {
    Row unit(static_cast<std::size_t>(k));
    unit[static_cast<std::size_t>(i)] = 1;
    columns.push_back(solved(square, unit));
  }
  return columns;
}

double largest(const Matrix& m) {
  double most = 0;
  for (const Row& row : m)
    for (const double v : row) most = std::max(most, std::abs(v));
  return most;
}

TEST(Kernels, are_compiled_for_more_than_one_instruction_set) {
  std::set<std::size_t> chosen;
  on_every_instruction_set([&] { chosen.insert(hwy::GetChosenTarget().GetIndex()); });
  EXPECT_EQ(chosen.size(), hwy::SupportedAndGeneratedTargets().size());
#if HWY_ARCH_X86
  EXPECT_GT(chosen.size(), 1u);  // SSE4 and none at least: else the loops below test one alone
#endif
}

TEST(Kernels, sum_squared_differences_down_the_columns) {
  const int ld = 83;
  std::vector<float> a(static_cast<std::size_t>(16 * ld)), b(a);
  Random(1, "a").uniform(a, -1.f, 1.f);
  Random(1, "b").uniform(b, -1.f, 1.f);
  on_every_instruction_set([&] {
    for (const int rows : {1, 2, 7, 16})
      for (int count = 1; count <= 70; ++count) {
        auto sums = to_be_written(static_cast<std::size_t>(count));
        patches::column_distances(a.data(), b.data() + 1, rows, ld, count, sums.data());
        for (int i = 0; i < count; ++i) {
          double expected = 0;
          for (int r = 0; r < rows; ++r)
            expected += std::pow(at(a, ld, r, i) - at(b, ld, r, i + 1), 2);
          ASSERT_NEAR(static_cast<double>(sums[static_cast<std::size_t>(i)]), expected,
                      kRounding * 4)
              << rows << " rows, column " << i << " of " << count;
        }
        expect_guards(sums);
      }
  });
}

TEST(Kernels, take_the_mean_patch_off_a_group) {
  on_every_instruction_set([] {
    for (const int k : kCounts)
      for (const int n : kPixels) {
        const int stride = stride_of(n);
        const auto given = random_group(k, n, "x");
        auto group = given, mean = to_be_written(places(1, stride));
        patches::take_mean(group.data(), k, stride, mean.data());
        for (int i = 0; i < stride; ++i) {
          double sum = 0;
          for (int j = 0; j < k; ++j) sum += at(given, stride, j, i);
          ASSERT_NEAR(at(mean, stride, 0, i), sum / k, kRounding) << "k " << k << ", n " << n;
          for (int j = 0; j < rows_of(k); ++j)
            ASSERT_NEAR(at(group, stride, j, i), at(given, stride, j, i) - (j < k ? sum / k : 0),
                        kRounding)
                << "k " << k << ", n " << n << ", (" << j << ", " << i << ")";
        }
        expect_guards(mean);
      }
  });
}

TEST(Kernels, sum_the_difference_of_groups) {
  on_every_instruction_set([] {
    for (const int k : kCounts)
      for (const int n : kPixels) {
        const int stride = stride_of(n);
        const auto a = random_group(k, n, "a"), b = random_group(k, n, "b");
        double sum = 0, squares = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
          const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
          sum += difference, squares += difference * difference;
        }
        const auto got = patches::difference(a.data(), b.data(), k, stride);
        EXPECT_NEAR(got.sum, sum, kRounding * std::sqrt(k * n)) << "k " << k << ", n " << n;
        EXPECT_NEAR(got.squares, squares, kRounding * std::sqrt(k * n)) << "k " << k << ", n " << n;
      }
  });
}

TEST(Kernels, transpose_a_group) {
  on_every_instruction_set([] {
    for (const int k : kCounts)
      for (const int n : kPixels) {
        const auto group = random_group(k, n, "x");
        auto turned = to_be_written(places(rows_of(n), stride_of(k)));
        patches::transpose(group.data(), stride_of(n), k, n, turned.data(), stride_of(k));
        for (int i = 0; i < rows_of(n); ++i)
          for (int j = 0; j < rows_of(k); ++j)
            ASSERT_EQ(at(turned, stride_of(k), i, j), at(group, stride_of(n), j, i))
                << "k " << k << ", n " << n << ", (" << i << ", " << j << ")";
        expect_guards(turned);
      }
  });
}

TEST(Kernels, multiply_groups) {
  on_every_instruction_set([] {
    for (const int k : kCounts)
      for (const int n : kPixels) {
        const int columns = 36, a_stride = stride_of(n), b_stride = stride_of(columns);
        const auto a = random_group(k, n, "a"), b = random_group(k, columns, "b");
        auto c = to_be_written(places(rows_of(n), b_stride));
        patches::product(a.data(), a_stride, b.data(), b_stride, k, n, c.data());
        for (int i = 0; i < rows_of(n); ++i)
          for (int j = 0; j < b_stride; ++j) {
            double expected = 0;
            for (int p = 0; p < k; ++p) expected += at(a, a_stride, p, i) * at(b, b_stride, p, j);
            ASSERT_NEAR(at(c, b_stride, i, j), expected, kRounding * std::sqrt(k))
                << "k " << k << ", n " << n << ", (" << i << ", " << j << ")";
          }
        expect_guards(c);
      }
  });
}

TEST(Kernels, factor_and_solve_equations) {
  // k = 64 patches of 36 pixels: 28 of the eigenvalues are the ridge, so the condition is up to
  // 100 / ridge, by which rounding is multiplied.
  constexpr double kRidge = 0.5, kConditioned = 200 * 6e-8 * 10;
  on_every_instruction_set([] {
    for (const int k : kCounts) {
      const int stride = stride_of(k);
      const auto q = definite(k, kRidge);
      const Matrix expected = inverse_of(q, k);
      auto u = q, v = std::vector<float>(places(rows_of(k), stride));
      for (int i = 0; i < k; ++i) v[static_cast<std::size_t>(i * (stride + 1))] = 1.f;
      u.resize(u.size() + kGuards, kGuard);
      v.resize(v.size() + kGuards, kGuard);
      patches::factor(u.data(), stride, k);
      for (int i = 0; i < k; ++i)
        for (int j = i; j < k; ++j) {
          double sum = 0;
          for (int p = 0; p <= i; ++p) {
            const double left = at(u, stride, p, i), right = at(u, stride, p, j);
            sum += (p == i ? 1 / left : left) * (p == j ? 1 / right : right);
          }
          ASSERT_NEAR(sum, at(q, stride, i, j), 36 * kRounding) << "k " << k;
        }
      patches::solve(u.data(), stride, k, v.data(), stride);
      const double tolerance = kConditioned * largest(expected);
      for (int i = 0; i < rows_of(k); ++i)
        for (int j = 0; j < stride; ++j) {
          const bool inside = i < k && j < k;
          const double want =
              inside ? expected[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] : 0;
          ASSERT_NEAR(at(v, stride, i, j), want, inside ? tolerance : 0)
              << "k " << k << ", (" << i << ", " << j << ")";
        }
      expect_guards(u);
      expect_guards(v);
    }
  });
}

TEST(Kernels, turn_an_inverse_into_weights) {
  constexpr float kNoise = 0.3f;
  on_every_instruction_set([] {
    for (const int k : kCounts) {
      const int stride = stride_of(k);
      const auto count = static_cast<std::size_t>(k);
      const Matrix v = inverse_of(definite(k, 0.5), k);
      std::vector<float> weights(places(rows_of(k), stride));
      for (int i = 0; i < rows_of(k); ++i)
        for (int j = 0; j < stride; ++j)
          weights[static_cast<std::size_t>(i * stride + j)] =
              i < k && j < k
                  ? static_cast<float>(v[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)])
                  : 0.f;
      weights.resize(weights.size() + kGuards, kGuard);
      auto norms = to_be_written(static_cast<std::size_t>(stride));
      patches::weights_from_inverse(weights.data(), k, stride, kNoise, norms.data());

      Row u(count);
      for (std::size_t i = 0; i < count; ++i) u[i] = std::accumulate(v[i].begin(), v[i].end(), 0.0);
      const double total = std::accumulate(u.begin(), u.end(), 0.0);
      for (std::size_t r = 0; r < count; ++r) {
        double squares = 0;
        for (std::size_t c = 0; c < count; ++c) {
          const double theta =
              (r == c ? 1 : 0) - static_cast<double>(kNoise) * (v[r][c] - u[r] * u[c] / total);
          ASSERT_NEAR(at(weights, stride, static_cast<int>(r), static_cast<int>(c)), theta,
                      kRounding)
              << "k " << k << ", weight of patch " << c << " in combination " << r;
          squares += theta * theta;
        }
        ASSERT_NEAR(static_cast<double>(norms[r]), squares, kRounding) << "k " << k;
      }
      for (int i = 0; i < rows_of(k); ++i)
        for (int j = i < k ? k : 0; j < stride; ++j)
          ASSERT_EQ(at(weights, stride, i, j), 0) << "k " << k;
      expect_guards(weights);
      expect_guards(norms);
    }
  });
}

}  // namespace kernels_test
}  // namespace unmar::test
