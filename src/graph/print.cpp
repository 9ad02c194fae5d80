#include <fmt/format.h>

#include "unmar/graph/graph.h"

#include "base/overloaded.h"

namespace unmar {
namespace {

const char* word(NormKind kind) {
  constexpr const char* kWords[] = {"batch", "instance", "group"};
  return kWords[static_cast<int>(kind)];
}

/// What tells this node from another of its kind: "3x3 / 2, reflect".
std::string details(const Op& op) {
  return std::visit(
      Overloaded{
          [](const Jitter& o) { return fmt::format("sigma {:.3g}", o.sigma); },
          [](const Dropout& o) { return fmt::format("{:.3g}", o.rate); },
          [](const Attention& o) {
            return fmt::format("{} head{}", o.heads, o.heads == 1 ? "" : "s");
          },
          [](const Conv2d& o) {
            const std::string stride = o.stride > 1 ? fmt::format(" / {}", o.stride) : "";
            const bool mirrors = o.kernel > 1 && o.border == Border::reflect;
            return fmt::format("{0}x{0}{1}{2}{3}", o.kernel, stride, mirrors ? ", reflect" : "",
                               o.pad_end ? ", end" : "");
          },
          [](const ConvTranspose2d& o) {
            const std::string cut = o.padding > 0 ? fmt::format(", cut {}", o.padding) : "";
            return fmt::format("{0}x{0} * {1}{2}", kernel_of(o), o.stride, cut);
          },
          [](const PixelShuffle& o) { return fmt::format("* {}", o.factor); },
          [](const MaxPool& o) { return fmt::format("max / {}", o.factor); },
          [](const Linear& o) { return o.name; },
          [](const Filter& o) {
            const Shape& taps = o.taps->shape();
            return fmt::format("{}x{}{}", taps.h, taps.w,
                               o.border == Border::reflect ? ", reflect" : "");
          },
          [](const Norm& o) {
            const std::string groups =
                o.kind == NormKind::group ? fmt::format(" {}", o.groups) : "";
            const std::string parts = o.parts > 1 ? fmt::format(" / {}", o.parts) : "";
            constexpr const char* kStatistics[] = {"", ", tracked", ", fixed"};
            return word(o.kind) + groups + parts + kStatistics[static_cast<int>(o.statistics)];
          },
          [](const Activation& o) { return std::string(activation_name(o.kind)); },
          [](const auto&) { return std::string(); },
      },
      op);
}

}  // namespace

std::string to_text(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes()) {
    std::string src;
    for (const NodeId s : node.src) src += (src.empty() ? "" : ", ") + graph.node(s).name;
    text += fmt::format("{:<24} {:<12} {:<18} {:<18}{}{}\n", node.name, op_name(node.op),
                        details(node.op), to_string(node.shape), src.empty() ? "" : " <- ", src);
  }
  return text;
}

std::string to_dot(const Graph& graph) {
  std::string text = "digraph unmar {\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    const std::string more = details(node.op);
    text += fmt::format("  n{} [label=\"{}\\n{}{}{}\\n{}\"];\n", i, node.name, op_name(node.op),
                        more.empty() ? "" : " ", more, to_string(node.shape));
    for (const NodeId s : node.src) text += fmt::format("  n{} -> n{};\n", s.index, i);
  }
  return text + "}\n";
}

}  // namespace unmar
