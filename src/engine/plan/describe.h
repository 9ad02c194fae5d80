#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/plan/places.h"

/// What profiles say of an op, whatever engine runs it.
namespace unmar {

/// "conv2d"; an activation by its own name.
std::string op_label(const Op& op);
/// What it is counted as: "convolution", "norm", "resampling" ...
const char* op_kind(const Op& op);
/// Multiplications of a node, forward and backward, if done directly. grad: by node.
std::uint64_t direct_macs(const Graph& graph, const std::vector<Place>& grad, NodeId id);

}  // namespace unmar
