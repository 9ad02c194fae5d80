#include "engine/cuda/program_plan.h"

#include <algorithm>

namespace unmar::cuda {

ProgramPlan::ProgramPlan(const Graph& graph, const std::vector<ParamPlace>& params,
                         const CompileOptions& options)
    : lowered(lower(graph, params, options)), steps(static_cast<int>(lowered.steps.size())) {
  Emitter planning(true, options.precision);
  for (int i = 0; i < steps; ++i) {
    planning.set_time(i, false, i);
    step(i).forward(planning);
    planning.set_time(2 * steps - 1 - i, true, i);
    step(i).backward(planning);
  }
  std::vector<Buffer*> lasting = lowered.lasting();
  const auto make = [&](std::size_t floats) {
    return lasting.emplace_back(lowered.buffers.make(floats));
  };
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const NodeId id{static_cast<int>(i)};
    if (!graph.kept(id) && graph.loss() != id) continue;
    const std::size_t floats = graph.shape(id).count();
    published.push_back({id, {make(floats), make(floats)}});
  }
  // A large tensor goes in parts of whole planes.
  std::size_t most = std::max<std::size_t>(1, lowered.cotangent->floats), plane = 1;
  for (const Node& node : graph.nodes()) {
    plane = std::max(plane, Shape{1, 1, node.shape.h, node.shape.w}.count());
    if (std::holds_alternative<Input>(node.op) || std::holds_alternative<Constant>(node.op))
      most = std::max(most, node.shape.count());
  }
  exchange = make(std::min(most, std::max(plane, options.band_bytes / 4 / sizeof(float))));
  square_parts = make(kSquareParts);
  square_sum = make(1);
  report = make(2);
  memory = plan_memory(graph, lowered.value, lowered.grad, lowered.buffers, steps, lasting);
}

}  // namespace unmar::cuda
