#include "engine/plan/memory.h"

#include <algorithm>

namespace unmar {

MemoryPlan plan_memory(const Graph& graph, const std::vector<Place>& value,
                       const std::vector<Place>& grad, Buffers& buffers, int n,
                       const std::vector<Buffer*>& lasting) {
  MemoryPlan result;
  const auto fix_buffer = [&](Buffer* buffer) {
    result.in_fixed.emplace_back(buffer, result.fixed);
    result.fixed += padded(buffer->floats);
  };
  const auto fix = [&](const Place& p) {
    if (p) fix_buffer(p.buffer);
  };
  for (Buffer* buffer : lasting) fix_buffer(buffer);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    const NodeId id{static_cast<int>(i)};
    const bool is_input = std::holds_alternative<Input>(node.op);
    if (is_input || std::holds_alternative<Constant>(node.op)) fix(value[i]);
    if (is_input) fix(grad[i]);
    if (graph.kept(id) || graph.loss() == id) value[i].buffer->use(2 * n);
    if (graph.loss() == id && grad[i]) grad[i].buffer->use(n);
  }

  std::vector<const Block*> planned;
  std::vector<Buffer*> movable;
  for (Buffer& b : buffers.all()) {
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

}  // namespace unmar
