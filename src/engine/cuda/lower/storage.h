#pragma once

#include <span>
#include <vector>

#include "engine/plan/buffers.h"
#include "engine/plan/node_plan.h"
#include "unmar/engine/engine.h"
#include "unmar/graph/graph.h"

namespace unmar::cuda {

/// How value and gradient of each node are stored. With Precision::bf16 pictures of whole fours of
/// channels are bf16 where the op that makes them and all that read them have kernels for it
/// (UNMAR_CUDA_VALUE_KERNELS). What is given, learned, kept, or where backward starts, is fp32; so
/// is everything in other precisions.
std::vector<Element> choose_elements(const Graph& graph, const GraphPlan& plan,
                                     std::span<const NodeId> roots, Precision precision);

}  // namespace unmar::cuda
