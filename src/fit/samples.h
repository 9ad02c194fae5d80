#pragma once

#include <cstddef>
#include <vector>

#include "unmar/tensor/archive.h"

namespace unmar {

/// Positions of at most `max_samples` of `count` values: one in each of as many equal intervals, so
/// spread evenly; all of them if they fit. The place within the interval varies: a fixed step that
/// shares a factor with the width would watch a few columns only.
std::vector<std::size_t> spread_samples(std::size_t count, std::size_t max_samples);

/// throws Error{bad_argument} naming `where` unless max_samples >= 1.
void check_max_samples(std::size_t max_samples, const char* where);

/// Fixed positions in the pictures of one fit.
class Samples {
 public:
  explicit Samples(std::size_t max_samples) : max_(max_samples) {}
  /// The positions; chosen at the first call. throws Error{bad_argument} naming `where` if the
  /// shape of `out` is not that of the first.
  const std::vector<std::size_t>& of(const Tensor& out, const char* where);
  std::size_t count() const { return at_.size(); }  ///< 0 before the first call
  void serialize(Archive& archive);

 private:
  std::size_t max_;
  Shape shape_;
  std::vector<std::size_t> at_;
};

}  // namespace unmar
