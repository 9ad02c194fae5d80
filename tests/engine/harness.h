#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/op_cases.h"
#include "unmar/engine/engine.h"

/// Runs a case of the table and compares what came out.
namespace unmar::test {

/// Jitter of a late iteration, so that the upper half of its counter is used too.
inline constexpr std::int64_t kIteration = (std::int64_t{1} << 33) + 5;

struct Labelled {
  std::string label;  ///< "value of 'op'", "gradient of 'op.weight'"
  Tensor value;
};
using Outcome = std::vector<Labelled>;

/// What the engine makes of the case: kept values, loss, all gradients.
Outcome run(Program& program, const CaseGraph& g);
/// The gradients alone: of all inputs that have one, and of the parameters.
Outcome gradients(const Program& program, const CaseGraph& g);
/// After a forward of its own: those of the sum of u * values of the node, which must be one of
/// CompileOptions::backward_from; u is drawn.
Outcome run_from(Program& program, const CaseGraph& g, NodeId node);
Tensor drawn_cotangent(const CaseGraph& g, NodeId node);
/// The parameters after three updates from here on.
Outcome train(Program& program, const CaseGraph& g);

/// Compiles, sets the inputs and moves all constant start values (gamma 1, beta 0) to generic
/// ones. Of the options all but the precision count.
std::unique_ptr<Program> prepare(const std::string& engine, const CaseGraph& g,
                                 const CompileOptions& options = {},
                                 Precision precision = Precision::fp32);

/// Empty, or what makes these expected values prove nothing.
std::string mistrusted(const Outcome& expected, const CaseGraph& g);

/// Empty, or the tensors that differ: from `expected` by more than `tolerance` times the largest
/// expected magnitude of the channel (but see kLeastScale), or in any bit.
std::string difference(const Outcome& expected, const Outcome& actual, double tolerance,
                       const CaseGraph& g);
std::string bit_difference(const Outcome& expected, const Outcome& actual);

/// The name of a case as gtest takes it, and the line that reruns the current test alone.
std::string test_name(const std::string& case_name);
std::string repro();

}  // namespace unmar::test
