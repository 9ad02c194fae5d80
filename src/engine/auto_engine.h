#pragma once

#include <memory>
#include <vector>

#include "unmar/engine/engine.h"

namespace unmar {

/// Stands for several engines, the best first: each graph goes to the first that lacks none of its
/// ops, is worth its start and has the memory, else to the last that lacks none of its ops, or to
/// the first of all if each lacks one. Devices and description are those of the first,
/// until it has compiled a graph: then of the one that did.
std::unique_ptr<Engine> make_auto_engine(std::vector<std::unique_ptr<Engine>> best_first);

}  // namespace unmar
