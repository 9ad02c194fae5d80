#pragma once

#include <omp.h>

namespace unmar::cpu {

/// Calls body(chunk, thread) once for every chunk in [0, chunks), on up to `threads` threads.
/// Chunks are handed out as threads become free, so a result must not depend on who computes which:
/// sums over chunks are kept per chunk and added in order afterwards.
template <class Body>
void parallel_for(int threads, int chunks, const Body& body) {
  if (threads <= 1 || chunks <= 1) {
    for (int chunk = 0; chunk < chunks; ++chunk) body(chunk, 0);
    return;
  }
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (int chunk = 0; chunk < chunks; ++chunk) body(chunk, omp_get_thread_num());
}

/// Bounds of chunk `index` when `count` things are cut into `chunks` nearly equal parts.
struct Range {
  int begin, end;
  int size() const { return end - begin; }
};
inline Range chunk_range(int count, int chunks, int index) {
  const auto at = [&](int i) {
    return static_cast<int>(static_cast<long long>(count) * i / chunks);
  };
  return {at(index), at(index + 1)};
}

}  // namespace unmar::cpu
