#include "engine/plan/reach.h"

#include <algorithm>

#include "base/fail.h"

namespace unmar {

std::vector<NodeId> backward_roots(const Graph& graph, std::span<const NodeId> also) {
  std::vector<NodeId> roots;
  if (graph.loss()) roots.push_back(*graph.loss());
  for (const NodeId id : also) {
    if (!id.valid() || static_cast<std::size_t>(id.index) >= graph.nodes().size())
      fail(ErrorCode::bad_argument, "compile: backward_from has node {}, the graph has {} nodes",
           id.index, graph.nodes().size());
    if (std::ranges::find(roots, id) == roots.end()) roots.push_back(id);
  }
  return roots;
}

void require_root(const Graph& graph, std::span<const NodeId> also, NodeId node,
                  const Shape& cotangent) {
  if (graph.loss() != node && std::ranges::find(also, node) == also.end())
    fail(ErrorCode::bad_argument,
         "backward: node {} is neither the loss nor in CompileOptions::backward_from", node.index);
  if (graph.shape(node) != cotangent)
    fail(ErrorCode::bad_argument, "backward: '{}' is {}, its cotangent {}", graph.node(node).name,
         to_string(graph.shape(node)), to_string(cotangent));
}

std::vector<bool> nodes_with_gradient(const Graph& graph, std::span<const NodeId> roots) {
  const auto nodes = graph.nodes();
  const auto at = [](NodeId id) { return static_cast<std::size_t>(id.index); };
  std::vector<bool> learns(nodes.size(), false), reaches(nodes.size(), false);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto* input = std::get_if<Input>(&nodes[i].op);
    learns[i] = graph.learns({static_cast<int>(i)}) || (input && input->needs_grad);
    for (const NodeId s : nodes[i].src) learns[i] = learns[i] || learns[at(s)];
  }
  for (const NodeId root : roots) reaches[at(root)] = true;
  for (std::size_t i = nodes.size(); i-- > 0;)
    if (reaches[i])
      for (const NodeId s : nodes[i].src) reaches[at(s)] = true;
  for (std::size_t i = 0; i < nodes.size(); ++i) learns[i] = learns[i] && reaches[i];
  return learns;
}

}  // namespace unmar
