#include "unmar/graph.h"

namespace unmar {

std::uint64_t count_macs(const Graph& graph) {
  std::uint64_t sum = 0;
  for (const Node& node : graph.nodes()) {
    if (node.src.empty()) continue;
    const Shape& src = graph.shape(node.src[0]);
    const auto pairs = static_cast<std::uint64_t>(src.c) * static_cast<std::uint64_t>(node.shape.c);
    if (const auto* conv = std::get_if<Conv2d>(&node.op))
      sum += pairs * static_cast<std::uint64_t>(conv->kernel * conv->kernel) *
             (node.shape.count() / static_cast<std::uint64_t>(node.shape.c));
    if (std::holds_alternative<ConvTranspose2d>(node.op))  // one tap reaches each result
      sum += pairs * (node.shape.count() / static_cast<std::uint64_t>(node.shape.c));
    if (std::holds_alternative<Attention>(node.op))  // q k^T, then times v
      sum += 2 * node.shape.count() * static_cast<std::uint64_t>(node.shape.h) *
             static_cast<std::uint64_t>(node.shape.w);
  }
  return sum;
}

}  // namespace unmar
