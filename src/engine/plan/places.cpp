#include "engine/plan/places.h"

#include <algorithm>
#include <utility>

namespace unmar {

Places::Places(const Graph& graph, const GraphPlan& plan, std::vector<NodeId> roots,
               Buffers& buffers, std::vector<Element> elements)
    : graph_(graph), plan_(plan), roots_(std::move(roots)), elements_(std::move(elements)) {
  elements_.resize(count(), Element::fp32);
  assign(buffers);
  find_writers();
}

/// From the last node to the first, so that a concat has its place before its sources.
void Places::assign(Buffers& buffers) {
  value_.resize(count());
  grad_.resize(count());
  for (std::size_t i = count(); i-- > 0;) {
    const NodeId id{static_cast<int>(i)};
    if (fused(id)) continue;
    const Node& n = node(id);
    if (!value_[i] && plan_[id].stored) value_[i] = buffers.place(n.shape, elements_[i]);
    if (!grad_[i] && plan_[id].has_grad) grad_[i] = buffers.place(n.shape, elements_[i]);
    if (plan_[id].recompute_at >= 0) value_[i].buffer->life = Block::Life::recomputed;
    for (const NodeId s : plan_.sources(id))
      if (plan_[s].grad_in == id) grad_[at(s)] = grad_[i];
    if (std::holds_alternative<Add>(n.op) && plan_[n.src[0]].value_in == id)
      value_[at(n.src[0])] = value_[i];
    if (!std::holds_alternative<Concat>(n.op)) continue;
    int channel = 0;
    for (const NodeId s : n.src) {
      if (plan_[s].value_in == id) {
        value_[at(s)] = slice(value_[i], channel, node(s).shape);
        if (plan_[s].has_grad) grad_[at(s)] = slice(grad_[i], channel, node(s).shape);
      }
      channel += node(s).shape.c;
    }
  }
}

void Places::find_writers() {
  writers_.assign(count(), {});
  for (std::size_t i = count(); i-- > 0;) {
    const NodeId id{static_cast<int>(i)};
    if (!plan_[id].has_grad || fused(id)) continue;
    if (takes_cotangent(id) && !writers_[i].reader.valid()) writers_[i].reader = id;
    const auto& src = plan_.sources(id);
    // A concat is one copy per source, which backward takes from the last to the first.
    const bool backwards = std::holds_alternative<Concat>(node(id).op);
    for (std::size_t k = 0; k < src.size(); ++k) {
      const std::size_t slot = backwards ? src.size() - 1 - k : k;
      if (!writers_[at(src[slot])].reader.valid()) writers_[at(src[slot])] = {id, slot};
    }
  }
}

GradPlace Places::grad_of(NodeId source, NodeId reader, std::size_t slot) const {
  if (!plan_[reader].has_grad || !grad_[at(source)]) return {};
  const Writer& w = writers_[at(source)];
  return {grad_[at(source)], !(w.reader == reader && w.slot == slot)};
}

bool Places::takes_cotangent(NodeId n) const {
  return plan_[n].has_grad && graph_.loss() != n && std::ranges::find(roots_, n) != roots_.end();
}

}  // namespace unmar
