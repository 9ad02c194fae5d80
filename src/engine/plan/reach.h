#pragma once

#include <span>
#include <vector>

#include "unmar/graph/graph.h"

namespace unmar {

/// Where backward may start: the loss, if the graph has one, and the nodes of `also`.
std::vector<NodeId> backward_roots(const Graph& graph, std::span<const NodeId> also);

/// throws Error{bad_argument} unless backward may start from `node` with a cotangent of this shape.
void require_root(const Graph& graph, std::span<const NodeId> also, NodeId node,
                  const Shape& cotangent);

/// Per node: does it depend on something that learns (a parameter that is not frozen, an input with
/// needs_grad), and does one of the roots depend on it? Such nodes have a gradient.
std::vector<bool> nodes_with_gradient(const Graph& graph, std::span<const NodeId> roots);

}  // namespace unmar
