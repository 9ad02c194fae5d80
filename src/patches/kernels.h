#pragma once

/// The inner loops of the patch filter: one thread each, compiled for several instruction sets and
/// dispatched at run time (Highway). A group of `k` patches of n pixels is stored as n rows of
/// `stride` floats, one column for each patch; columns from k on are 0. stride is a multiple of
/// kStrideUnit, k x k matrices have the same stride and rows.
namespace unmar::patches {

inline constexpr int kStrideUnit = 16;
inline int stride_of(int k) { return (k + kStrideUnit - 1) / kStrideUnit * kStrideUnit; }

/// sums[i] = sum over the rows of (a[r][i] - b[r][i])^2. Row r begins at a + r * ld and b + r * ld.
void column_distances(const float* a, const float* b, int rows, int ld, int count, float* sums);

/// q = x' x, all of it: stride x stride.
void gram(const float* x, int n, int stride, float* q);

/// Inverts a symmetric positive definite matrix in place.
void invert(float* a, int stride);

/// Turns v, the inverse of Q, into the transpose of Theta = I - D (V - u u' / sum(u)), u = V 1: the
/// combinations of k patches whose weights sum to one (docs: patches.h). d: the k variances on the
/// diagonal of D. norms[j] = sum of the squared weights of combination j.
void weights_from_inverse(float* v, int k, int stride, const float* d, float* norms);

/// out = z Theta', n rows each: every patch replaced by its combination.
void combine(const float* z, const float* theta_transposed, int n, int k, int stride, float* out);

}  // namespace unmar::patches
