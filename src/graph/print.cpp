#include <fmt/format.h>

#include "unmar/graph.h"

namespace unmar {

std::string to_text(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes()) {
    std::string src;
    for (const NodeId s : node.src) src += (src.empty() ? "" : ", ") + graph.node(s).name;
    text += fmt::format("{:<28} {:<16} {:<20} <- {}\n", node.name, op_name(node.op),
                        to_string(node.shape), src);
  }
  return text;
}

std::string to_dot(const Graph& graph) {
  std::string text = "digraph unmar {\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    text += fmt::format("  n{} [label=\"{}\\n{} {}\"];\n", i, node.name, op_name(node.op),
                        to_string(node.shape));
    for (const NodeId s : node.src) text += fmt::format("  n{} -> n{};\n", s.index, i);
  }
  return text + "}\n";
}

}  // namespace unmar
