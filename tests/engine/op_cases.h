#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "unmar/graph/graph.h"

/// One table of graphs, each around one op or a short chain. Every suite about engines reads it,
/// so a row here is checked by numeric gradients, against ref, and for determinism.
namespace unmar::test {

struct CaseGraph {
  Graph graph;
  std::vector<std::pair<NodeId, Tensor>> inputs;  ///< with the values to set
  /// More than half of the expected values are 0 and cannot be otherwise, e.g. the gradient of
  /// max pooling.
  bool sparse = false;
  /// No kink of the function lies near these values: a numeric gradient means something.
  bool smooth = true;
  /// Parameters whose gradient is exactly 0 but for rounding, e.g. a bias in front of a norm.
  std::vector<std::string> vanishing;
};

struct OpCase {
  std::string name;  ///< "conv.k3.s2.reflect.c13.33x64": options, channels, rows x columns
  std::function<CaseGraph()> build;
};

/// How gtest prints a parameter.
inline void PrintTo(const OpCase& op_case, std::ostream* out) { *out << op_case.name; }

const std::vector<OpCase>& op_cases();

}  // namespace unmar::test
