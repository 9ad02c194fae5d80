#pragma once

#include <chrono>
#include <string>

/// Time, memory and processors of this process.
namespace unmar {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string now_utc();     ///< "2026-01-31T12:00:00Z"
double peak_memory_mib();  ///< so far

/// Processors that this process may use, at least 1: fewer than the machine has if it is bound to
/// some (`taskset`, a batch job) or if a control group (a container) limits its time.
int core_count();
int thread_count(int threads);  ///< what 0 threads mean: one per core

}  // namespace unmar
