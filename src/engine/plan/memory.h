#pragma once

#include <utility>
#include <vector>

#include "engine/plan/places.h"
#include "unmar/engine/engine.h"
#include "unmar/graph/graph.h"

namespace unmar {

/// Where the buffers of a program lie; in floats.
struct MemoryPlan {
  using Offsets = std::vector<std::pair<Buffer*, std::size_t>>;
  std::size_t arena = 0, fixed = 0;
  Offsets in_arena;  ///< shared by buffers that are never alive together
  Offsets in_fixed;  ///< inputs, constants and what lives from one pass to the next
};

/// Places the buffers of a program of n steps once the lives are known that its steps need. Times:
/// forward of step i is i, its backward 2 n - 1 - i; what is read afterwards lives until 2 n.
/// `lasting` are buffers that are fixed, too.
MemoryPlan plan_memory(const Graph& graph, const std::vector<Place>& value,
                       const std::vector<Place>& grad, Buffers& buffers, int n,
                       const std::vector<Buffer*>& lasting = {});

constexpr std::size_t padded(std::size_t floats) { return (floats + 15) / 16 * 16; }

/// Bytes that a program will hold: the plan, and parameters with gradients, Adam's moments and
/// averages.
inline std::size_t bytes_of(const MemoryPlan& plan, std::size_t params,
                            const CompileOptions& options) {
  const std::size_t copies = options.ema_decay > 0.f ? 5 : 4;
  return sizeof(float) * (plan.arena + plan.fixed + copies * params);
}

}  // namespace unmar
