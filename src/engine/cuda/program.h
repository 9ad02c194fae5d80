#pragma once

#include <memory>

#include "engine/cuda/device.h"
#include "unmar/engine/engine.h"

namespace unmar::cuda {

std::unique_ptr<Program> make_program(const Graph& graph, const CompileOptions& options,
                                      std::shared_ptr<CardInUse> card);

/// What Program::memory_bytes() will be.
std::size_t program_bytes(const Graph& graph, const CompileOptions& options);

}  // namespace unmar::cuda
