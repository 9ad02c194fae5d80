#pragma once

#include <memory>

#include "unmar/engine/engine.h"

namespace unmar {

/// The slow engine that defines what every op means; the others are tested against it.
std::unique_ptr<Engine> make_ref_engine();

}  // namespace unmar
