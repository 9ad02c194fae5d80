#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "base/thread_pool.h"
#include "patches/grouping.h"
#include "unmar/tensor/tensor.h"

namespace unmar::patches {

/// One pass over all groups: what is known of the clean patches decides how each patch is combined
/// from all of its group, and the combinations return to their places. A pass that was cancelled
/// has no result: an empty tensor, or false.
struct Pass {
  const Groups& groups;
  const std::vector<double>& variances;  ///< of the noise of each channel
  ThreadPool& pool;
  std::stop_token cancel = {};
  std::function<void(double)> on_progress = {};  ///< share of the pass, a few times

  /// Theta = I - D Q^-1 with weights that sum to one and Q = Y Y' (SURE).
  Tensor first_estimate(const Tensor& y) const;
  /// The same with Q = P P' + D of a pilot.
  Tensor with_pilot(const Tensor& y, const Tensor& pilot) const;
  /// x, z -> what they are after a step that leaves the share tau of the noise in z.
  bool remove_noise(const Tensor& y, double tau, Tensor& x, Tensor& z) const;
};

}  // namespace unmar::patches
