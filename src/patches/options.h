#pragma once

#include "unmar/patches.h"

namespace unmar::patches {

/// What is not given is filled in. throws Error{bad_argument} for what is out of range.
///
/// The defaults are the best or within 0.1 dB of it for sigma from 5 to 50, gray and colour
/// (docs/results.md), so that none of them follows the noise.
PatchOptions with_defaults(const PatchOptions& given);

/// By how much the noise is taken for stronger than it is: similar patches were looked for in the
/// noise, so theirs is alike, too.
inline constexpr double kStrength = 1.03;
/// Patches that overlap share correlated noise, so it takes more.
inline constexpr double kStrengthCorrelated = 1.3;

}  // namespace unmar::patches
