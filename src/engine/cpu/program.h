#pragma once

#include <memory>

#include "unmar/engine/engine.h"

namespace unmar::cpu {

/// memory_bytes() of the program that make_program would make.
std::size_t program_bytes(const Graph& graph, const CompileOptions& options);
std::unique_ptr<Program> make_program(const Graph& graph, const CompileOptions& options);

}  // namespace unmar::cpu
