#include "engine/cpu/memory.h"

#include <algorithm>

namespace unmar::cpu {

MemoryPlan plan_memory(const Graph& graph, Lowered& lowered) {
  const int n = static_cast<int>(lowered.steps.size());
  for (int i = 0; i < n; ++i) {
    const Uses uses = lowered.steps[static_cast<std::size_t>(i)]->uses();
    for (Buffer* b : uses.forward) b->use(i);
    for (Buffer* b : uses.backward) b->use(2 * n - 1 - i, true);
  }
  MemoryPlan result;
  const auto fix = [&](const Place& p) {
    if (!p) return;
    result.in_fixed.emplace_back(p.buffer, result.fixed);
    result.fixed += padded(p.buffer->floats);
  };
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    const NodeId id{static_cast<int>(i)};
    const bool is_input = std::holds_alternative<Input>(node.op);
    if (is_input || std::holds_alternative<Constant>(node.op)) fix(lowered.value[i]);
    if (is_input) fix(lowered.grad[i]);
    if (graph.kept(id) || graph.loss() == id) lowered.value[i].buffer->use(2 * n);
    if (graph.loss() == id && lowered.grad[i]) lowered.grad[i].buffer->use(n);
  }

  std::vector<const Block*> planned;
  std::vector<Buffer*> movable;
  for (Buffer& b : lowered.buffers.all()) {
    const bool is_fixed = std::any_of(result.in_fixed.begin(), result.in_fixed.end(),
                                      [&](const auto& f) { return f.first == &b; });
    if (is_fixed || b.data) continue;
    planned.push_back(&b);
    movable.push_back(&b);
  }
  const Arena arena = place_in_arena(planned);
  result.arena = arena.floats;
  for (std::size_t i = 0; i < movable.size(); ++i)
    result.in_arena.emplace_back(movable[i], arena.offsets[i]);
  return result;
}

std::size_t param_floats(const Graph& graph) {
  std::size_t total = 0;
  for (const Param& p : graph.params()) total += padded(p.shape.count());
  return total;
}

}  // namespace unmar::cpu
