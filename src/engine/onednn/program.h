#pragma once

#include <memory>

#include "unmar/engine.h"

namespace unmar::cpu {

std::unique_ptr<Program> make_program(const Graph& graph, const CompileOptions& options);

}  // namespace unmar::cpu
