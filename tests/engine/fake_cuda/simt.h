#pragma once

/// What simt.h of the engine means in tests: every thread of a block is a fiber of this thread, a
/// barrier a switch to another one. Nasty on purpose: lanes and blocks run in changing orders, one
/// warp ahead of the others, shared memory is full of NaN at first, and a barrier that some threads
/// of a block, or a product that some lanes of a warp, do not reach is an error.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define UNMAR_DEVICE inline
#define UNMAR_KERNEL(name, Args, threads) inline void name(const Args& a)
#define UNMAR_SHARED(Type, name) Type& name = ::unmar::fake_cuda::shared<Type>()
#define UNMAR_SHARED_BYTES(name) \
  char* name = static_cast<char*>(::unmar::fake_cuda::shared_memory(0))

namespace unmar::fake_cuda {

struct Dim {
  unsigned x = 1, y = 1, z = 1;
};
extern thread_local Dim thread_index, block_index;

constexpr std::size_t kMostShared = 48 << 10;  ///< that a kernel declares
constexpr std::size_t kMostBytes = 99 << 10;   ///< that are set aside at launch
constexpr unsigned kMostThreads = 256;

/// Runs the kernel, given as a function of nothing, once for each thread of the grid.
void run_grid(Dim grid, unsigned threads, std::size_t shared_bytes,
              const std::function<void()>& kernel);

/// Of the running fiber: until all threads of the block, or all lanes of the warp, are here.
void block_barrier();
void warp_barrier();
void* shared_memory(std::size_t bytes);
template <class T>
T& shared() {
  static_assert(sizeof(T) <= kMostShared);
  return *static_cast<T*>(shared_memory(sizeof(T)));
}

/// What the lanes of a warp show each other for a product, or to load matrices.
struct WarpShow {
  const unsigned (*a[32])[4];
  const unsigned (*b[32])[2];
  float (*acc[32])[4];
  const unsigned char* row[32];
  unsigned* matrices[32];
  int arrived = 0;
};
WarpShow& warp_show();

/// Of the running thread: a copy that is made when its batch is waited for, and not before.
void copy_later(void* to, const void* from, bool wanted);
void end_batch();
void wait_for_batches(std::size_t left);

}  // namespace unmar::fake_cuda

namespace unmar::cuda {

#define threadIdx (::unmar::fake_cuda::thread_index)
#define blockIdx (::unmar::fake_cuda::block_index)
inline void __syncthreads() { fake_cuda::block_barrier(); }

struct alignas(16) Float4 {
  float x, y, z, w;
};
/// The card refuses other addresses, and so do we.
void require_aligned(const void* p, unsigned bytes = 16);
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

struct alignas(8) Float2 {
  float x, y;
};
inline Float2 load2(const float* p) {
  require_aligned(p, 8);
  return {p[0], p[1]};
}
inline void store2(float* p, Float2 v) {
  require_aligned(p, 8);
  p[0] = v.x, p[1] = v.y;
}

/// To the nearest, ties to even.
inline unsigned to_bf16(float low, float high) {
  const auto round = [](float v) {
    const auto bits = std::bit_cast<std::uint32_t>(v);
    return (v != v ? bits : bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
  };
  return round(low) | round(high) << 16;
}

using SharedAddress = char*;
inline SharedAddress shared_address(char* p) { return p; }
inline unsigned load_word(SharedAddress p) {
  unsigned word;
  std::memcpy(&word, p, sizeof word);
  return word;
}
inline void copy16(SharedAddress to, const void* from, bool wanted = true) {
  require_aligned(to);
  require_aligned(from);
  fake_cuda::copy_later(to, from, wanted);
}
inline void copy16_again(SharedAddress to, const void* from) { copy16(to, from); }
inline void end_batch() { fake_cuda::end_batch(); }
template <int kLeft>
void wait_copies() {
  fake_cuda::wait_for_batches(kLeft);
}

/// ldmatrix.x4 as PTX defines it; the last lane to arrive loads for all.
template <bool kTransposed>
void load_matrices(unsigned (&m)[4], SharedAddress row) {
  require_aligned(row);
  fake_cuda::WarpShow& warp = fake_cuda::warp_show();
  const unsigned lane = fake_cuda::thread_index.x % 32;
  warp.row[lane] = reinterpret_cast<const unsigned char*>(row);
  warp.matrices[lane] = m;
  if (++warp.arrived == 32) {
    warp.arrived = 0;
    for (unsigned l = 0; l < 32; ++l)
      for (unsigned i = 0; i < 4; ++i) {
        std::uint16_t two[2];
        for (unsigned e = 0; e < 2; ++e) {
          const unsigned across = l % 4 * 2 + e, line = kTransposed ? across : l / 4;
          std::memcpy(&two[e], warp.row[8 * i + line] + 2 * (kTransposed ? l / 4 : across), 2);
        }
        warp.matrices[l][i] = two[0] | unsigned{two[1]} << 16;
      }
  }
  fake_cuda::warp_barrier();
}

/// mma.sync.m16n8k8 of tf32, or m16n8k16 of bf16, as PTX defines them; the last lane to arrive
/// multiplies for all. The card drops the low bits of tf32 that were not rounded, and so do we.
template <bool kBf16, int M, int N>
void multiply(float (&acc)[M][N][4], const unsigned (&a)[M][4], const unsigned (&b)[N][2]) {
  constexpr unsigned K = kBf16 ? 16 : 8, kPer = kBf16 ? 2 : 1;  // kPer: values of a register
  fake_cuda::WarpShow& warp = fake_cuda::warp_show();
  const unsigned lane = fake_cuda::thread_index.x % 32;
  warp.a[lane] = a;
  warp.b[lane] = b;
  warp.acc[lane] = acc[0];
  if (++warp.arrived == 32) {
    warp.arrived = 0;
    const auto value = [](unsigned bits, unsigned part) {
      if (kBf16) return std::bit_cast<float>((part ? bits >> 16 : bits & 0xFFFFu) << 16);
      return std::bit_cast<float>(bits & 0xFFFFE000u);
    };
    float as[16 * M][K], bs[K][8 * N], sum[16 * M][8 * N];
    for (unsigned l = 0; l < 32; ++l) {
      for (unsigned i = 0; i < M; ++i)
        for (unsigned e = 0; e < 4; ++e)
          for (unsigned p = 0; p < kPer; ++p)
            as[16 * i + l / 4 + e % 2 * 8][l % 4 * kPer + p + e / 2 * (K / 2)] =
                value(warp.a[l][i][e], p);
      for (unsigned j = 0; j < N; ++j)
        for (unsigned e = 0; e < 2; ++e)
          for (unsigned p = 0; p < kPer; ++p)
            bs[l % 4 * kPer + p + e * (K / 2)][8 * j + l / 4] = value(warp.b[l][j][e], p);
      for (unsigned i = 0; i < M; ++i)
        for (unsigned j = 0; j < N; ++j)
          for (unsigned e = 0; e < 4; ++e)
            sum[16 * i + l / 4 + e / 2 * 8][8 * j + l % 4 * 2 + e % 2] = warp.acc[l][i * N + j][e];
    }
    for (unsigned row = 0; row < 16 * M; ++row)
      for (unsigned k = 0; k < K; ++k)
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
