#pragma once

#include <cstddef>

namespace unmar::test {

/// Counts the calls of operator new in the whole program, by all threads and libraries. The program
/// must be linked with count_allocations.cpp, which replaces it.
void start_counting();
std::size_t stop_counting();

}  // namespace unmar::test
