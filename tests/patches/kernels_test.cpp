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

using patches::stride_of;

/// Of sums of up to 256 products of numbers up to 1, relative to the largest: rounding adds up to
/// 2^-24 times the square root of their number, here with room for a factor of 20.
constexpr double kRounding = 2e-5;

constexpr int kCounts[] = {1, 7, 16, 20, 64};
constexpr int kPixels[] = {1, 3, 4, 6, 36, 49, 256};
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

/// n rows of k random numbers in [-1, 1) and of zeros up to the stride.
std::vector<float> random_group(int n, int k, const char* name) {
  std::vector<float> group(places(n, stride_of(k)));
  Random(1, name).uniform(group, -1.f, 1.f);
  for (std::size_t i = 0; i < group.size(); ++i)
    if (static_cast<int>(i) % stride_of(k) >= k) group[i] = 0.f;
  return group;
}

double at(const std::vector<float>& m, int stride, int row, int column) {
  return static_cast<double>(m[static_cast<std::size_t>(row * stride + column)]);
}

/// Symmetric positive definite, as Q of a group: k x k, and the unit matrix beyond.
std::vector<float> definite(int k, double ridge) {
  const int stride = stride_of(k), n = 36;
  const auto group = random_group(n, k, "definite");
  std::vector<float> q(places(stride, stride));
  for (int i = 0; i < stride; ++i)
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

TEST(Kernels, multiply_a_group_with_itself) {
  on_every_instruction_set([] {
    for (const int k : kCounts)
      for (const int n : kPixels) {
        const int stride = stride_of(k);
        const auto x = random_group(n, k, "x");
        auto q = to_be_written(places(stride, stride));
        patches::gram(x.data(), n, stride, q.data());
        for (int i = 0; i < stride; ++i)
          for (int j = 0; j < stride; ++j) {
            double expected = 0;
            for (int p = 0; p < n; ++p) expected += at(x, stride, p, i) * at(x, stride, p, j);
            ASSERT_NEAR(at(q, stride, i, j), expected, kRounding * std::sqrt(n))
                << "k " << k << ", n " << n << ", (" << i << ", " << j << ")";
          }
        expect_guards(q);
      }
  });
}

TEST(Kernels, combine_the_patches_of_a_group) {
  on_every_instruction_set([] {
    for (const int k : kCounts)
      for (const int n : kPixels) {
        const int stride = stride_of(k);
        const auto z = random_group(n, k, "z"), theta = random_group(k, k, "theta");
        auto out = to_be_written(places(n, stride));
        patches::combine(z.data(), theta.data(), n, k, stride, out.data());
        for (int p = 0; p < n; ++p)
          for (int j = 0; j < stride; ++j) {
            double expected = 0;
            for (int i = 0; i < k; ++i) expected += at(z, stride, p, i) * at(theta, stride, i, j);
            ASSERT_NEAR(at(out, stride, p, j), expected, kRounding * std::sqrt(k))
                << "k " << k << ", n " << n << ", (" << p << ", " << j << ")";
          }
        expect_guards(out);
      }
  });
}

TEST(Kernels, invert_positive_definite_matrices) {
  // k = 64 patches of 36 pixels: 28 of the eigenvalues are the ridge, so the condition is up to
  // 100 / ridge, by which rounding is multiplied.
  constexpr double kRidge = 0.5, kConditioned = 200 * 6e-8 * 10;
  on_every_instruction_set([] {
    for (const int k : kCounts) {
      const int stride = stride_of(k);
      const auto q = definite(k, kRidge);
      const Matrix expected = inverse_of(q, k);
      auto v = q;
      v.resize(v.size() + kGuards, kGuard);
      patches::invert(v.data(), stride);
      const double tolerance = kConditioned * largest(expected);
      for (int i = 0; i < stride; ++i)
        for (int j = 0; j < stride; ++j) {
          const bool inside = i < k && j < k;
          const double want =
              inside ? expected[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]
                     : (i == j ? 1.0 : 0.0);
          ASSERT_NEAR(at(v, stride, i, j), want, inside ? tolerance : 0)
              << "k " << k << ", (" << i << ", " << j << ")";
        }
      expect_guards(v);
    }
  });
}

TEST(Kernels, turn_an_inverse_into_weights) {
  on_every_instruction_set([] {
    for (const int k : kCounts) {
      const int stride = stride_of(k);
      const auto count = static_cast<std::size_t>(k);
      const Matrix v = inverse_of(definite(k, 0.5), k);
      std::vector<float> weights(places(stride, stride)), d(static_cast<std::size_t>(stride));
      Random(1, "d").uniform(std::span(d).first(count), 0.1f, 0.5f);
      for (int i = 0; i < stride; ++i)
        for (int j = 0; j < stride; ++j)
          weights[static_cast<std::size_t>(i * stride + j)] =
              i < k && j < k
                  ? static_cast<float>(v[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)])
                  : (i == j ? 1.f : 0.f);
      weights.resize(weights.size() + kGuards, kGuard);
      auto norms = to_be_written(static_cast<std::size_t>(stride));
      patches::weights_from_inverse(weights.data(), k, stride, d.data(), norms.data());

      Row u(count);
      for (std::size_t i = 0; i < count; ++i) u[i] = std::accumulate(v[i].begin(), v[i].end(), 0.0);
      const double total = std::accumulate(u.begin(), u.end(), 0.0);
      for (std::size_t r = 0; r < count; ++r) {
        double squares = 0;
        for (std::size_t c = 0; c < count; ++c) {
          const double theta =
              (r == c ? 1 : 0) - static_cast<double>(d[r]) * (v[r][c] - u[r] * u[c] / total);
          ASSERT_NEAR(at(weights, stride, static_cast<int>(c), static_cast<int>(r)), theta,
                      kRounding)
              << "k " << k << ", weight of patch " << c << " in combination " << r;
          squares += theta * theta;
        }
        ASSERT_NEAR(static_cast<double>(norms[r]), squares, kRounding) << "k " << k;
      }
      for (int i = 0; i < k; ++i)
        for (int j = k; j < stride; ++j) ASSERT_EQ(at(weights, stride, i, j), 0) << "k " << k;
      expect_guards(weights);
      expect_guards(norms);
    }
  });
}

}  // namespace kernels_test
}  // namespace unmar::test
