#include "engine/plan/describe.h"

#include "base/overloaded.h"

namespace unmar {

std::string op_label(const Op& op) {
  const auto* activation = std::get_if<Activation>(&op);
  return activation ? activation_name(activation->kind) : op_name(op);
}

const char* op_kind(const Op& op) {
  return std::visit(Overloaded{
                        [](const Conv2d&) { return "convolution"; },
                        [](const ConvTranspose2d&) { return "convolution"; },
                        [](const Norm&) { return "norm"; },
                        [](const Activation&) { return "activation"; },
                        [](const Attention&) { return "attention"; },
                        [](const Jitter&) { return "jitter"; },
                        [](const Dropout&) { return "jitter"; },
                        [](const Concat&) { return "concat"; },
                        [](const Add&) { return "arithmetic"; },
                        [](const Multiply&) { return "arithmetic"; },
                        [](const TimeEmbedding&) { return "arithmetic"; },
                        [](const Mse&) { return "loss"; },
                        [](const L1&) { return "loss"; },
                        [](const BceWithLogits&) { return "loss"; },
                        [](const TotalVariation&) { return "loss"; },
                        [](const WeightedSum&) { return "loss"; },
                        [](const MaxPool&) { return "resampling"; },
                        [](const Linear&) { return "resampling"; },
                        [](const Filter&) { return "resampling"; },
                        [](const PixelShuffle&) { return "resampling"; },
                        [](const Input&) { return "given"; },
                        [](const Constant&) { return "given"; },
                        [](const Learned&) { return "given"; },
                    },
                    op);
}

std::uint64_t direct_macs(const Graph& graph, const std::vector<Place>& grad, NodeId id) {
  const auto& sources = graph.node(id).src;
  const bool source_grad = !sources.empty() && static_cast<bool>(grad[at(sources[0])]);
  const std::uint64_t passes =
      grad[at(id)] ? 1u + (graph.learns(id) ? 1u : 0u) + (source_grad ? 1u : 0u) : 1u;
  return passes * count_macs(graph, id);
}

}  // namespace unmar
