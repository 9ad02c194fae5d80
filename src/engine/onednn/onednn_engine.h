#pragma once

#include <memory>

#include "unmar/engine.h"

namespace unmar {

/// The fast CPU engine: channels-last values, matrix products by oneDNN, everything else in own
/// SIMD passes.
std::unique_ptr<Engine> make_onednn_engine();

}  // namespace unmar
