#pragma once

/// The inner loops of the patch filter: one thread each, compiled for several instruction sets and
/// dispatched at run time (Highway). A group of k patches of n pixels lies as k rows of `stride`
/// floats, one patch each, and rows of zeros up to a multiple of four; columns from n on are 0.
/// Matrices lie the same way. stride is a multiple of kStrideUnit.
namespace unmar::patches {

inline constexpr int kStrideUnit = 16;
inline int stride_of(int n) { return (n + kStrideUnit - 1) / kStrideUnit * kStrideUnit; }

inline constexpr int kRowUnit = 4;
inline int rows_of(int k) { return (k + kRowUnit - 1) / kRowUnit * kRowUnit; }

/// sums[i] = sum over the rows of (a[r][i] - b[r][i])^2. Row r begins at a + r * ld and b + r * ld.
void column_distances(const float* a, const float* b, int rows, int ld, int count, float* sums);

/// Takes the mean of the k rows off each of them: weights that sum to one leave it alone, and small
/// numbers keep their digits. mean: `stride` floats.
void take_mean(float* group, int k, int stride, float* mean);

struct Difference {
  double sum, squares;
};
/// Sums of a - b and of its squares, over k rows.
Difference difference(const float* a, const float* b, int k, int stride);

/// to[j][i] = from[i][j], of rows_of(rows) rows and rows_of(columns) columns.
void transpose(const float* from, int stride, int rows, int columns, float* to, int to_stride);

/// c = a' b: the first rows_of(n) rows of it. a and b: k rows; c has the stride of b.
void product(const float* a, int a_stride, const float* b, int b_stride, int k, int n, float* c);

/// Cholesky: a symmetric positive definite matrix of rows_of(n) rows becomes U with U' U = a, its
/// diagonal as its inverse. What is below the diagonal means nothing.
void factor(float* a, int stride, int n);

/// x <- y with U' U y = x: rows_of(n) rows of `x_stride` floats.
void solve(const float* u, int stride, int n, float* x, int x_stride);

/// Turns v, the inverse of Q, k x k, into Theta = I - d (V - u u' / sum(u)), u = V 1: combinations
/// of k patches whose weights sum to one (docs: patches.h). norms[i] = sum of the squared weights
/// of combination i.
void weights_from_inverse(float* v, int k, int stride, float d, float* norms);

/// The same sums for Theta = P M P' + 1 1' / k, M = (P' P + d I)^-1, of a group whose mean is 0.
/// p and y, with y = M p: rows_of(n) rows of k, one for each pixel, so the transpose of the group.
void norms_of(const float* p, const float* y, int n, int k, int stride, float d, float* norms);

}  // namespace unmar::patches
