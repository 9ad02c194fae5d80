#pragma once

#include <chrono>
#include <string>

/// Time and memory of this process.
namespace unmar {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string now_utc();     ///< "2026-01-31T12:00:00Z"
double peak_memory_mib();  ///< so far

}  // namespace unmar
