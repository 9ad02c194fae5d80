// Measures how fast the engine's matrix product runs on matrices that stay in cache: what the
// convolutions could reach at best. Prints one JSON object, GFLOP/s by number of threads.
//     bench_gemm [THREADS]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "base/thread_pool.h"
#include "engine/cpu/kernels.h"

namespace {

using Clock = std::chrono::steady_clock;

/// The best of several tries, in GFLOP/s.
double measure(int threads) {
  unmar::ThreadPool pool(threads);
  const int m = 4 * unmar::cpu::gemm_rows(), n = 128, k = 128;  // of a convolution of 128 channels
  const auto floats = [](int rows, int cols) {
    return std::vector<float>(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols),
                              0.5f);
  };
  struct Matrices {
    std::vector<float> a, b, c;
  };
  std::vector<Matrices> matrices(static_cast<std::size_t>(threads),
                                 {floats(m, k), floats(k, n), floats(m, n)});
  const unmar::cpu::Gemm product{.m = m, .n = n, .k = k, .a_row = k, .b_row = n, .c_row = n};
  constexpr int kTries = 10, kChunks = 64, kPerChunk = 40;
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto start = Clock::now();
    pool.run(kChunks, [&](int, int thread) {
      Matrices& own = matrices[static_cast<std::size_t>(thread)];
      for (int k_times = 0; k_times < kPerChunk; ++k_times)
        unmar::cpu::gemm(product, own.a.data(), own.b.data(), own.c.data());
    });
    const std::chrono::duration<double> seconds = Clock::now() - start;
    best = std::max(best, 2e-9 * m * n * k * kChunks * kPerChunk / seconds.count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = unmar::thread_count(argc > 1 ? std::atoi(argv[1]) : 0);
  fmt::print("{{\"1\": {:.1f}", measure(1));
  if (threads > 1) fmt::print(", \"{}\": {:.1f}", threads, measure(threads));
  fmt::print("}}\n");
}
