#pragma once

/// What simt.h of the engine means in tests: every thread of a block is a fiber of this thread, a
/// barrier a switch to another one. Nasty on purpose: lanes and blocks run in changing orders,
/// shared memory is full of NaN at first, and a barrier that some threads of a block, or a product
/// that some lanes of a warp, do not reach is an error.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

#define UNMAR_DEVICE inline
#define UNMAR_KERNEL(name, Args, threads) inline void name(const Args& a)
#define UNMAR_SHARED(Type, name) Type& name = ::unmar::fake_cuda::shared<Type>()

namespace unmar::fake_cuda {

struct Dim {
  unsigned x = 1, y = 1, z = 1;
};
extern thread_local Dim thread_index, block_index;

constexpr std::size_t kMostShared = 48 << 10;
constexpr unsigned kMostThreads = 256;

/// Runs the kernel, given as a function of nothing, once for each thread of the grid.
void run_grid(Dim grid, unsigned threads, const std::function<void()>& kernel);

/// Of the running fiber: until all threads of the block, or all lanes of the warp, are here.
void block_barrier();
void warp_barrier();
void* shared_memory(std::size_t bytes);
template <class T>
T& shared() {
  static_assert(sizeof(T) <= kMostShared);
  return *static_cast<T*>(shared_memory(sizeof(T)));
}

/// What the lanes of a warp show each other for a product.
struct WarpProduct {
  const float (*a[32])[4];
  const float (*b[32])[2];
  float (*acc[32])[4];
  int arrived = 0;
};
WarpProduct& warp_product();

}  // namespace unmar::fake_cuda

namespace unmar::cuda {

#define threadIdx (::unmar::fake_cuda::thread_index)
#define blockIdx (::unmar::fake_cuda::block_index)
inline void __syncthreads() { fake_cuda::block_barrier(); }

struct alignas(16) Float4 {
  float x, y, z, w;
};
/// The card refuses other addresses, and so do we.
void require_aligned(const void* p);
inline Float4 load4(const float* p) {
  require_aligned(p);
  return {p[0], p[1], p[2], p[3]};
}
inline void store4(float* p, Float4 v) {
  require_aligned(p);
  p[0] = v.x, p[1] = v.y, p[2] = v.z, p[3] = v.w;
}

inline float to_tf32(float v) {
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(v) + 0x1000u) & 0xFFFFE000u);
}

/// mma.sync.m16n8k8 as PTX defines it; the last lane to arrive multiplies for all. The card drops
/// the low bits of factors that were not rounded, and so do we.
template <int M, int N>
void mma(float (&acc)[M][N][4], const float (&a)[M][4], const float (&b)[N][2]) {
  fake_cuda::WarpProduct& warp = fake_cuda::warp_product();
  const unsigned lane = fake_cuda::thread_index.x % 32;
  warp.a[lane] = a;
  warp.b[lane] = b;
  warp.acc[lane] = acc[0];
  if (++warp.arrived == 32) {
    warp.arrived = 0;
    const auto cut = [](float v) {
      return std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) & 0xFFFFE000u);
    };
    float as[16 * M][8], bs[8][8 * N], sum[16 * M][8 * N];
    for (unsigned l = 0; l < 32; ++l) {
      for (unsigned i = 0; i < M; ++i)
        for (unsigned e = 0; e < 4; ++e)
          as[16 * i + l / 4 + e % 2 * 8][l % 4 + e / 2 * 4] = cut(warp.a[l][i][e]);
      for (unsigned j = 0; j < N; ++j)
        for (unsigned e = 0; e < 2; ++e) bs[l % 4 + 4 * e][8 * j + l / 4] = cut(warp.b[l][j][e]);
      for (unsigned i = 0; i < M; ++i)
        for (unsigned j = 0; j < N; ++j)
          for (unsigned e = 0; e < 4; ++e)
            sum[16 * i + l / 4 + e / 2 * 8][8 * j + l % 4 * 2 + e % 2] = warp.acc[l][i * N + j][e];
    }
    for (unsigned row = 0; row < 16 * M; ++row)
      for (unsigned k = 0; k < 8; ++k)
        for (unsigned column = 0; column < 8 * N; ++column)
          sum[row][column] += as[row][k] * bs[k][column];
    for (unsigned l = 0; l < 32; ++l)
      for (unsigned i = 0; i < M; ++i)
        for (unsigned j = 0; j < N; ++j)
          for (unsigned e = 0; e < 4; ++e)
            warp.acc[l][i * N + j][e] = sum[16 * i + l / 4 + e / 2 * 8][8 * j + l % 4 * 2 + e % 2];
  }
  fake_cuda::warp_barrier();
}

}  // namespace unmar::cuda
