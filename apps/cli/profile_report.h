#pragma once

#include <unmar/engine/engine.h>
#include <unmar/tasks/options.h>

#include <string>
#include <vector>

namespace unmar::cli {

/// A few iterations of a fit, measured.
struct ProfiledFit {
  Shape picture;
  RestoreOptions options;  ///< resolved
  EngineInfo engine;
  int threads = 0, iterations = 0;
  double seconds = 0;            ///< of one iteration, mean
  std::size_t memory_bytes = 0;  ///< of the program
  std::size_t parameters = 0;
  std::uint64_t forward_macs = 0;  ///< of one forward pass, counted as direct convolution
  std::vector<StepProfile> steps;

  /// Parameters, their gradients and Adam's moments.
  std::size_t parameter_bytes() const { return 4 * sizeof(float) * parameters; }
};

std::string profile_table(const ProfiledFit& fit);
std::string profile_json(const ProfiledFit& fit);

}  // namespace unmar::cli
