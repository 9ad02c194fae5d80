#pragma once

#include <vector>

#include "engine/cuda/lower.h"
#include "engine/plan/memory.h"

namespace unmar::cuda {

/// A node whose value, or gradient, can be read: a copy of it as [n,c,h,w], of every other step.
struct Published {
  NodeId node;
  Buffer* copy[2];
};

/// What a graph becomes once the addresses of its parameters are known. Without a card it says how
/// much memory there must be.
struct ProgramPlan {
  ProgramPlan(const Graph& graph, const std::vector<ParamPlace>& params,
              const CompileOptions& options);

  const Step& step(int i) const { return lowered.steps[static_cast<std::size_t>(i)]; }

  static constexpr std::size_t kSquareParts = 1024;
  Lowered lowered;
  int steps;
  std::vector<Published> published;
  Buffer* exchange;  ///< a tensor, or planes of it, as [n,c,h,w], on its way from or to the host
  Buffer *square_parts, *square_sum;
  Buffer* report;  ///< the loss, the squares of all gradients
  MemoryPlan memory;
};

}  // namespace unmar::cuda
