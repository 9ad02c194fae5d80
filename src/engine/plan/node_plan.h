#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "unmar/graph/graph.h"

namespace unmar {

/// The place of a node in a list of all of them.
inline std::size_t at(NodeId n) { return static_cast<std::size_t>(n.index); }

/// How a node is computed, where its value and its gradient lie, and for how long. Says nothing of
/// kernels or memory, so that engines share it.
struct NodePlan {
  int readers = 0;        ///< uses as a source; backward counts as one where it may start
  bool has_grad = false;  ///< see nodes_with_gradient()
  /// A norm: the activation behind it, which is computed in one step with it.
  NodeId fused_into = {};
  /// false: it has no memory. It is fused, or a norm, with its activation if it has one, that the
  /// convolutions and linear ops behind it work out while they read.
  bool stored = true;
  /// The concat that its value is written straight into, or the sum that takes its place.
  NodeId value_in = {};
  /// The node whose gradient its own takes the place of.
  NodeId grad_in = {};
  /// Its value is dropped after forward and worked out again for backward, once the node with this
  /// index is reached; -1: it is not.
  int recompute_at = -1;
};

/// What an engine does not do.
struct PlanLimits {
  /// The gradient of a 1x1 convolution takes the place of the one behind it. Not where many blocks
  /// of it are worked out at once and read all of that.
  bool convolves_in_place = true;
  /// What costs little is worked out again for backward rather than kept: less memory, more time.
  bool recomputes = true;
};

/// Of all nodes of a graph, which must outlive it.
class GraphPlan {
 public:
  /// roots: where backward may start.
  GraphPlan(const Graph& graph, std::span<const NodeId> roots, const PlanLimits& limits = {});

  const NodePlan& operator[](NodeId n) const { return nodes_[at(n)]; }
  /// What a node reads, looking through a norm fused into it.
  const std::vector<NodeId>& sources(NodeId n) const;

 private:
  const Graph& graph_;
  std::vector<NodePlan> nodes_;
};

}  // namespace unmar
