#pragma once

#include "unmar/tensor/tensor.h"

/// Which values of the observation are known: weights in [0,1] of its shape, or empty for all.
namespace unmar {

inline double known_at(const Tensor& known, std::size_t i) {
  return known.empty() ? 1.0 : static_cast<double>(known.data()[i]);
}

/// throws Error{bad_argument} naming `where` if the shapes differ or nothing is known.
void check_known(const Shape& y, const Tensor& known, const char* where);

/// throws Error{bad_argument} naming `where` if A x has not the shape of y.
void check_like_y(const Tensor& Ax, const Shape& y, const char* where);

}  // namespace unmar
