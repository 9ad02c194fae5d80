#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "engine/cpu/plan.h"
#include "engine/cpu/step.h"
#include "unmar/engine.h"
#include "unmar/graph.h"

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
/// Fusions: a norm with the activation that alone reads it; both with the convolutions that read
/// or resizings that read them, if no other op does and the activation is cheap enough to be worked
/// out again; up-sampled values are worked out again for backward; a concat's source that only the
/// concat reads, and of its size, is written in place by its own step.
Lowered lower(const Graph& graph, const std::vector<ParamPlace>& params,
              const CompileOptions& options);

}  // namespace unmar::cpu
