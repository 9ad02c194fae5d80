#pragma once

#include <memory>

#include "unmar/engine/engine.h"

namespace unmar {

/// The fast CPU engine: channels-last values, matrix products and SIMD passes of its own.
std::unique_ptr<Engine> make_cpu_engine();

}  // namespace unmar
