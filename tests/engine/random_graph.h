#pragma once

#include "engine/op_cases.h"

namespace unmar::test {

/// A small graph of ops drawn at random, with values that several ops read, sizes that do not
/// match, kept nodes in the middle, inputs with gradients and parameters. The same for every call
/// with one seed.
CaseGraph random_graph(unsigned seed);

}  // namespace unmar::test
