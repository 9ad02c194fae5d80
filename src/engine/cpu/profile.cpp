#include "engine/cpu/profile.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/plan/describe.h"
#include "engine/plan/node_plan.h"

namespace unmar::cpu {
namespace {

class Describer {
 public:
  Describer(const Graph& graph, const Lowered& lowered) : g_(graph), l_(lowered) {}

  StepProfile row(std::size_t step) const {
    const NodeId id = l_.node_of[step];
    const Node& node = g_.node(id);
    const StepFacts facts = l_.steps[step]->facts();
    StepProfile row;
    row.name = node.name;
    row.op = op_label(node.op);
    row.kind = op_kind(node.op);
    if (facts.makes_again) {
      row.kind = "made again";
      row.notes.emplace_back("made again for backward");
      row.traffic_bytes = bytes(node.shape) + source_bytes(node);
      return row;
    }
    if (facts.passes_cotangent) {
      row.op = "cotangent";
      row.kind = "given";
      row.traffic_bytes = 2 * bytes(node.shape);
      return row;
    }
    const Node* norm = fused_norm(node);
    if (norm) {
      row.op = "norm + " + row.op;
      row.kind = "norm";
    }
    const auto& sources = norm ? norm->src : node.src;
    row.product_macs = facts.macs;
    row.direct_macs = direct_macs(g_, l_.grad, id);
    if (!facts.how.empty()) row.notes.push_back(facts.how);
    add_place_notes(id, sources, row.notes);
    row.traffic_bytes = traffic(norm ? *norm : node, id);
    const Place& value = l_.value[at(id)];
    if (value && is_kept(*value.buffer)) row.kept_bytes = bytes(node.shape);
    return row;
  }

 private:
  static std::uint64_t bytes(const Shape& shape) { return shape.count() * sizeof(float); }
  std::uint64_t source_bytes(const Node& node) const {
    std::uint64_t sum = 0;
    for (const NodeId s : node.src) sum += bytes(g_.shape(s));
    return sum;
  }

  /// The norm that is computed together with this activation.
  const Node* fused_norm(const Node& node) const {
    if (!std::holds_alternative<Activation>(node.op)) return nullptr;
    const Node& source = g_.node(node.src[0]);
    const bool own_step =
        std::find(l_.node_of.begin(), l_.node_of.end(), node.src[0]) != l_.node_of.end();
    return std::holds_alternative<Norm>(source.op) && !own_step ? &source : nullptr;
  }

  bool is_kept(const Buffer& buffer) const {
    const int steps = static_cast<int>(l_.steps.size());
    return buffer.life == Block::Life::kept && buffer.span.first >= 0 &&
           buffer.span.first < steps && buffer.span.last >= steps;
  }

  /// `n` tells what is read, `id` what is made; they differ where a norm is fused.
  std::uint64_t traffic(const Node& n, NodeId id) const {
    const std::uint64_t in = source_bytes(n), out = bytes(g_.shape(id));
    std::uint64_t sum = in + (l_.value[at(id)] ? out : 0);
    if (!l_.grad[at(id)]) return sum;
    sum += out;
    for (const NodeId s : n.src)
      if (l_.grad[at(s)]) sum += bytes(g_.shape(s));
    const std::string kind = op_kind(n.op);
    const bool linear = kind == "resampling" || kind == "concat" || kind == "jitter";
    return linear ? sum : sum + in;
  }

  void add_place_notes(NodeId id, const std::vector<NodeId>& sources,
                       std::vector<std::string>& notes) const {
    const Place& value = l_.value[at(id)];
    if (!value) {
      notes.emplace_back("worked out by its readers");
    } else {
      for (const Node& reader : g_.nodes()) {
        const bool reads = std::find(reader.src.begin(), reader.src.end(), id) != reader.src.end();
        if (reads && std::holds_alternative<Concat>(reader.op) &&
            l_.value[static_cast<std::size_t>(&reader - g_.nodes().data())].buffer == value.buffer)
          notes.push_back(fmt::format("written into '{}'", reader.name));
      }
      if (value.buffer->life == Block::Life::recomputed) notes.emplace_back("not kept");
    }
    const Place& grad = l_.grad[at(id)];
    for (const NodeId s : sources)
      if (grad && !std::holds_alternative<Concat>(g_.node(id).op) &&
          l_.grad[at(s)].buffer == grad.buffer)
        notes.emplace_back("gradient in place");
  }

  const Graph& g_;
  const Lowered& l_;
};

}  // namespace

std::vector<StepProfile> describe_steps(const Graph& graph, const Lowered& lowered) {
  const Describer describer(graph, lowered);
  std::vector<StepProfile> rows;
  for (std::size_t step = 0; step < lowered.steps.size(); ++step)
    rows.push_back(describer.row(step));
  return rows;
}

std::vector<StepProfile> StepClock::with_times(std::vector<StepProfile> rows,
                                               std::size_t parameters) const {
  const double iterations = std::max(1, iterations_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].forward_seconds = forward_[i] / iterations;
    rows[i].backward_seconds = backward_[i] / iterations;
  }
  StepProfile& adam = rows.emplace_back();
  adam.name = adam.op = "adam";
  adam.kind = "optimiser";
  adam.backward_seconds = update_ / iterations;
  // Value and both moments are read and written, the gradient is read.
  adam.traffic_bytes = 7 * sizeof(float) * parameters;
  return rows;
}

}  // namespace unmar::cpu
