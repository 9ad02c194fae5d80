#include "engine/cuda/lower/storage.h"

#include <algorithm>
#include <utility>

namespace unmar::cuda {
namespace {

/// Those that are lowered to kernels of UNMAR_CUDA_VALUE_KERNELS, and to products. The Emitter sees
/// to it that no other is here.
bool takes_bf16(const Op& op) {
  return std::holds_alternative<Conv2d>(op) || std::holds_alternative<Norm>(op) ||
         std::holds_alternative<Activation>(op) || std::holds_alternative<Linear>(op) ||
         std::holds_alternative<unmar::MaxPool>(op) || std::holds_alternative<Concat>(op) ||
         std::holds_alternative<Add>(op) || std::holds_alternative<Jitter>(op);
}

/// Of which both, or neither, are bf16: they share memory, or one kernel reads both in one loop.
std::vector<std::pair<NodeId, NodeId>> alike(const Graph& graph, const GraphPlan& plan) {
  std::vector<std::pair<NodeId, NodeId>> pairs;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const NodeId n{static_cast<int>(i)};
    for (const NodeId other : {plan[n].value_in, plan[n].grad_in, plan[n].fused_into})
      if (other.valid()) pairs.emplace_back(n, other);
    if (std::holds_alternative<Norm>(graph.node(n).op)) pairs.emplace_back(n, graph.node(n).src[0]);
  }
  return pairs;
}

}  // namespace

std::vector<Element> choose_elements(const Graph& graph, const GraphPlan& plan,
                                     std::span<const NodeId> roots, Precision precision) {
  const std::size_t count = graph.nodes().size();
  std::vector<Element> elements(count, Element::fp32);
  if (precision != Precision::bf16) return elements;
  for (std::size_t i = 0; i < count; ++i) {
    const Node& node = graph.nodes()[i];
    const Shape& s = node.shape;
    const bool is_picture = s.c % 4 == 0 && s.h * s.w > 1;
    if (is_picture && takes_bf16(node.op) && !graph.kept({static_cast<int>(i)}) &&
        plan[{static_cast<int>(i)}].readers > 0)
      elements[i] = Element::bf16;
  }
  for (const NodeId root : roots) elements[at(root)] = Element::fp32;
  for (const Node& node : graph.nodes())
    for (const NodeId source : node.src)
      if (!takes_bf16(node.op)) elements[at(source)] = Element::fp32;
  const auto pairs = alike(graph, plan);
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [a, b] : pairs) {
      if (elements[at(a)] == elements[at(b)]) continue;
      elements[at(a)] = elements[at(b)] = Element::fp32;
      changed = true;
    }
  }
  return elements;
}

}  // namespace unmar::cuda
