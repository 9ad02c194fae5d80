#pragma once

#include <memory>

#include "unmar/engine/engine.h"

namespace unmar {

/// Runs on NVIDIA cards; see docs/design.md.
std::unique_ptr<Engine> make_cuda_engine();

}  // namespace unmar
