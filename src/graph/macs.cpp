#include "unmar/graph/graph.h"

namespace unmar {

std::uint64_t count_macs(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (std::holds_alternative<Attention>(node.op))  // q k^T, then times v
    return 2 * node.shape.count() * static_cast<std::uint64_t>(node.shape.h) *
           static_cast<std::uint64_t>(node.shape.w);
  if (const auto* filter = std::get_if<Filter>(&node.op))
    return filter->taps->count() * node.shape.count();
  std::uint64_t taps = 0;
  if (const auto* conv = std::get_if<Conv2d>(&node.op))
    taps = static_cast<std::uint64_t>(conv->kernel) * static_cast<std::uint64_t>(conv->kernel);
  if (const auto* conv = std::get_if<ConvTranspose2d>(&node.op)) {
    const auto kernel = static_cast<std::uint64_t>(kernel_of(*conv));
    return graph.shape(node.src[0]).count() * static_cast<std::uint64_t>(conv->out_c) * kernel *
           kernel;
  }
  if (taps == 0) return 0;
  return taps * static_cast<std::uint64_t>(graph.shape(node.src[0]).c) * node.shape.count();
}

std::uint64_t count_macs(const Graph& graph) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    sum += count_macs(graph, {static_cast<int>(i)});
  return sum;
}

}  // namespace unmar
