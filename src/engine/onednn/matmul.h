#pragma once

#include <cstddef>
#include <memory>
#include <optional>

namespace unmar::cpu {

/// C[b] = A[b] * B[b] (+ C[b]) for `batch` matrices: A is m x k, B is k x n, C is m x n.
/// Strides are in floats. One of A's strides is 1, and one of B's; C's rows are contiguous. Several
/// matrices must be dense and follow each other without gaps: oneDNN is fast for nothing else.
struct MatMulSpec {
  int batch = 1, m = 0, n = 0, k = 0;
  std::ptrdiff_t a_row = 0, a_col = 1;
  std::ptrdiff_t b_row = 0, b_col = 1;
  std::ptrdiff_t c_row = 0;
  bool accumulate = false;
};

/// oneDNN's matrix product, compiled for one thread. run() may be called by `threads` threads at
/// once, each with its own thread number. This is the only file that knows oneDNN's API versions.
class MatMul {
 public:
  MatMul(const MatMulSpec& spec, int threads);
  ~MatMul();
  MatMul(MatMul&&) noexcept;

  void run(const float* a, const float* b, float* c, int thread) const;

  /// oneDNN's name of the code it chose, e.g. "brg:avx512_core"; "ref:any" is a hundred times
  /// slower.
  const char* implementation() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The same product for pieces of one length and a last piece that may be shorter. `length` is the
/// dimension that is cut: &MatMulSpec::m or &MatMulSpec::k.
class PieceMatMul {
 public:
  PieceMatMul(MatMulSpec spec, int MatMulSpec::*length, int piece, int last_piece, int threads);
  void run(int length, const float* a, const float* b, float* c, int thread) const {
    (length == piece_ ? full_ : *last_).run(a, b, c, thread);
  }

 private:
  int piece_;
  MatMul full_;
  std::optional<MatMul> last_;
};

const char* dnnl_version_text();  ///< "oneDNN 2.6.3"

}  // namespace unmar::cpu
