#pragma once

namespace unmar {

/// Sums of few terms are rounded once.
inline double wide(float value) { return static_cast<double>(value); }

}  // namespace unmar
