#pragma once

#include <vector>

#include "unmar/graph/ops.h"

namespace unmar {

/// A sparse matrix over one dimension:
/// dst[i] = sum over k in [begin[i], begin[i+1]) of weight[k] * src[index[k]].
struct LinearMap {
  int src_size = 0;
  std::vector<int> begin{0}, index;
  std::vector<float> weight;

  int dst_size() const { return static_cast<int>(begin.size()) - 1; }
  void add(int src, float w) {
    index.push_back(src);
    weight.push_back(w);
  }
  void close() { begin.push_back(static_cast<int>(index.size())); }
};

LinearMap transposed(const LinearMap& map);

LinearMap resize_map(const Resize& op, int size, int dst_size);
LinearMap reduce_map(const Reduce& op, int size);
LinearMap average_map(int factor, int size);
LinearMap crop_map(int size, int cropped);  ///< the centre; cropped == size copies
LinearMap pad_map(int size, int padded);    ///< zeros around the centre

}  // namespace unmar
