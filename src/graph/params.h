#pragma once

#include <vector>

#include "unmar/graph/graph.h"

namespace unmar {

/// The parameters that `op` needs over its first source; node ids are left to the graph.
std::vector<Param> param_specs(const Op& op, const Shape& src, const std::string& node_name);

}  // namespace unmar
