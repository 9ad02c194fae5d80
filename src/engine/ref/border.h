#pragma once

#include "unmar/graph/ops.h"

namespace unmar::ref {

constexpr int kOutside = -1;

/// The source row or column that padded position i stands for.
inline int source_index(int i, int size, Border border) {
  if (i >= 0 && i < size) return i;
  if (border == Border::zero) return kOutside;
  return i < 0 ? -i : 2 * (size - 1) - i;
}

}  // namespace unmar::ref
