#pragma once

#include <optional>
#include <string>

#include "unmar/base/option.h"
#include "unmar/observe/observe.h"

namespace unmar {

/// simulate() in the words and units of a user. Empty: that damage is not done.
struct DamageOptions {
  std::optional<std::string> blur = {};  ///< in words, as parse_blur() reads it
  std::optional<int> shrink = {};        ///< 2, 3, 4 or 8
  ReduceKernel kernel = ReduceKernel::lanczos3;
  std::optional<double> poisson = {};      ///< photons, 1 to 500
  std::optional<double> speckle = {};      ///< 0 to 1
  std::optional<double> noise = {};        ///< standard deviation, 0-255 scale
  std::optional<double> salt_pepper = {};  ///< fraction of the values
  bool clip = true;
  std::optional<double> missing = {};  ///< fraction of the pixels
  std::uint64_t seed = 0;
};
const std::vector<Option<DamageOptions>>& damage_options();

/// Without the blur, which may also be a picture of a kernel.
SimulateOptions simulate_options(const DamageOptions& damage);

}  // namespace unmar
