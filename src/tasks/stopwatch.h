#pragma once

#include <chrono>
#include <ctime>

#include "unmar/tasks/refine.h"

namespace unmar {

/// Runs from when it is made.
class Stopwatch {
 public:
  Spent read() const {
    return {std::chrono::duration<double>(Clock::now() - start_).count(),
            static_cast<double>(std::clock() - cpu_) / CLOCKS_PER_SEC};
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  std::clock_t cpu_ = std::clock();
};

}  // namespace unmar
