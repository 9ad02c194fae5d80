#pragma once

#include <vector>

#include "engine/cuda/device_params.h"
#include "engine/cuda/program_plan.h"

namespace unmar::cuda {

/// What a program launches. A step is update, forward, backward, publish and report, in this order.
struct Passes {
  std::vector<Launch> update;  ///< by the gradients of the step before
  std::vector<Launch> forward, backward;
  std::vector<Launch> publish[2];  ///< kept values and the loss, to one of two copies
  std::vector<Launch> report;      ///< what the host hears of a step
};

/// All buffers of the plan have their addresses; the first buffers of the arena begin at `arena`.
Passes emit_passes(const Graph& graph, const CompileOptions& options, const ProgramPlan& plan,
                   const DeviceParams& params, const DeviceMemory& arena);

/// From a place to a dense [n,c,h,w], and back.
std::vector<Launch> to_planes(const Place& src, Buffer* dst);
std::vector<Launch> from_planes(Buffer* src, const Place& dst);

}  // namespace unmar::cuda
