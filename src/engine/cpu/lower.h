#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "engine/cpu/step.h"
#include "engine/plan/memory.h"
#include "unmar/engine/engine.h"
#include "unmar/graph/graph.h"

namespace unmar::cpu {

/// A graph turned into steps in the order of forward. Backward runs them in reverse.
struct Lowered {
  Buffers buffers;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<NodeId> node_of;  ///< per step: the node whose value it makes
  std::vector<Place> value;     ///< per node; empty where a fused step never writes it
  std::vector<Place> grad;      ///< per node; empty where no gradient comes from a root
  std::deque<NormScales> norms;
};

/// params: one place per Graph::params(), convolution weights as [kernel][kernel][in_c][out_c].
/// A GraphPlan says what is computed together, in place or again.
Lowered lower(const Graph& graph, const std::vector<ParamPlace>& params,
              const CompileOptions& options);

/// Tells the buffers when the steps use them, and places them.
MemoryPlan plan_memory(const Graph& graph, Lowered& lowered);

}  // namespace unmar::cpu
