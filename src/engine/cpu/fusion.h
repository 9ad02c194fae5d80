#pragma once

#include <span>
#include <vector>

#include "unmar/graph.h"

namespace unmar::cpu {

/// What of a graph is computed together, in place, or again; lower() makes it so. Per node, by
/// index. Reads the graph only; the graph must outlive it.
class Fusion {
 public:
  /// roots: where backward may start.
  Fusion(const Graph& graph, std::span<const NodeId> roots);

  /// A norm that is computed together with the activation behind it.
  bool fused(NodeId n) const { return fused_[at(n)]; }
  /// A norm, with its activation, that is not stored: the convolutions and resizings behind work it
  /// out while they read.
  bool folded(NodeId n) const { return folded_[at(n)]; }
  /// On a path from something learned to a root.
  bool has_grad(NodeId n) const { return has_grad_[at(n)]; }
  /// What a node reads, looking through a norm fused into it.
  const std::vector<NodeId>& sources(const Node& n) const;

  /// The step that makes `source` can write straight into the concat that reads it.
  bool into_concat(const Node& concat, NodeId source) const;
  /// The gradient in front of n may take the place of the one behind it: it is computed pixel by
  /// pixel, or strip by strip, and nothing else reads or writes either.
  bool grad_in_place(const Node& n) const;
  /// The gradient of a sum is that of its first source.
  bool sum_grad_in_place(const Node& sum) const;
  /// A sum takes the place of its first source: a convolution's result, which nothing needs any
  /// more.
  bool sum_in_place(const Node& sum) const;

  /// For a value that is worked out again for backward, the node after whose step backward first
  /// needs it; else -1.
  int last_reader(NodeId n) const { return last_reader_[at(n)]; }

 private:
  static std::size_t at(NodeId n) { return static_cast<std::size_t>(n.index); }
  static NodeId id(std::size_t i) { return {static_cast<int>(i)}; }
  std::size_t count() const { return g_.nodes().size(); }
  const Node& node(NodeId n) const { return g_.node(n); }

  void find_fused();
  void find_folded();
  void find_last_readers();

  bool is_fused_activation(const Node& n) const;
  bool is_own(NodeId source) const;
  bool enlarges(NodeId n) const;
  bool is_cheap_step(NodeId n) const;
  bool recomputes(NodeId n) const;

  const Graph& g_;
  bool has_backward_;
  std::vector<int> readers_;  ///< a cotangent given to the node counts as one
  std::vector<bool> fused_, folded_, has_grad_;
  std::vector<bool> placed_in_concat_;
  std::vector<int> last_reader_;
};

}  // namespace unmar::cpu
