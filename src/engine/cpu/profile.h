#pragma once

#include <chrono>
#include <vector>

#include "engine/cpu/lower.h"
#include "unmar/engine/engine.h"

namespace unmar::cpu {

/// What the steps do, without times; after the buffers have their lifetimes.
std::vector<StepProfile> describe_steps(const Graph& graph, const Lowered& lowered);

/// Sums up how long each step takes, forward and backward.
class StepClock {
 public:
  explicit StepClock(std::size_t steps) : forward_(steps), backward_(steps) {}

  void start() { last_ = Clock::now(); }
  void forward_done(std::size_t step) { forward_[step] += lap(); }
  void backward_done(std::size_t step) { backward_[step] += lap(); }
  void update_done() { update_ += lap(); }
  void count_iteration() { ++iterations_; }

  /// The rows with their mean times, and one for the optimiser, of `parameters` numbers.
  std::vector<StepProfile> with_times(std::vector<StepProfile> rows, std::size_t parameters) const;

 private:
  using Clock = std::chrono::steady_clock;
  double lap() {
    const Clock::time_point now = Clock::now();
    const std::chrono::duration<double> seconds = now - last_;
    last_ = now;
    return seconds.count();
  }
  std::vector<double> forward_, backward_;
  double update_ = 0;
  int iterations_ = 0;  ///< forward passes
  Clock::time_point last_;
};

}  // namespace unmar::cpu
