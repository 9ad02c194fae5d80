#pragma once

#include <cstddef>
#include <vector>

#include "unmar/graph/graph.h"

namespace unmar {

/// How engines hold all parameters of a graph in one piece: each on cache lines of its own, weights
/// of convolutions as [taps][in][out], everything else channels-last.
class ParamLayout {
 public:
  /// The graph must outlive it.
  explicit ParamLayout(const Graph& graph);

  std::size_t floats() const { return floats_; }
  std::size_t offset(std::size_t param) const { return offsets_[param]; }

  std::vector<Tensor> to_tensors(const float* flat) const;
  void from_tensors(const std::vector<Tensor>& tensors, float* flat) const;
  /// throws Error{bad_argument} unless these are tensors for all parameters.
  void require(const std::vector<Tensor>& tensors) const;

 private:
  enum class Order { taps_first, channels_last, same };
  Order order(std::size_t param) const;

  const Graph& graph_;
  std::vector<std::size_t> offsets_;
  std::size_t floats_ = 0;
};

}  // namespace unmar
