#pragma once

#include <functional>
#include <vector>

#include "engine/cuda/emitter.h"
#include "engine/plan/memory.h"
#include "engine/plan/places.h"
#include "unmar/engine/engine.h"
#include "unmar/graph/graph.h"

namespace unmar::cuda {

/// One or several fused ops of the graph: what they launch. Each function says at the same time
/// which memory the launches use; see Emitter.
struct Step {
  NodeId node;  ///< whose value it makes
  std::function<void(Emitter&)> forward, backward;
  /// Makes the value once more, from what forward left; empty if it cannot.
  std::function<void(Emitter&)> again = {};
};

/// Numbers that are uploaded once, such as the taps of a resizing.
struct Table {
  Buffer* buffer;
  std::vector<std::byte> content;
};

/// A graph turned into steps in the order of forward. Backward runs them in reverse.
struct Lowered {
  Buffers buffers;
  std::vector<Step> steps;
  std::vector<Place> value;  ///< per node; empty where a fused step never writes it
  std::vector<Place> grad;   ///< per node; empty where no gradient comes from a root
  std::vector<Table> tables;
  std::vector<std::function<void(Emitter&)>> followers;  ///< launch what a step changes beside Adam
  std::vector<Buffer*> kept;                             ///< from one pass to the next
  Buffer* pass = nullptr;                                ///< a Pass
  Buffer* cotangent = nullptr;                           ///< what backward was given, [n,h,w,c]
  std::vector<Buffer*> lasting() const;
};

/// params: one place per Graph::params(), convolution weights as [kernel][kernel][in_c][out_c].
Lowered lower(const Graph& graph, const std::vector<ParamPlace>& params,
              const CompileOptions& options);

}  // namespace unmar::cuda
