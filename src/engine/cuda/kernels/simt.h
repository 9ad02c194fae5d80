#pragma once

/// What a kernel is written with: CUDA's own words, declared here because no CUDA header is used.
///
/// The same files have two meanings. clang makes PTX of them for the card. For tests they are plain
/// C++: UNMAR_SIMT names a header that makes every thread a fiber (tests/engine/fake_cuda).
#ifdef UNMAR_SIMT
#include UNMAR_SIMT
#else

#define UNMAR_DEVICE __attribute__((device)) inline __attribute__((always_inline))

/// A kernel takes one plain struct, `a`, by value.
#define UNMAR_KERNEL(name, Args, threads) \
  extern "C" __attribute__((global)) __attribute__((launch_bounds(threads))) void name(const Args a)

/// One struct of shared memory; it holds anything at first.
#define UNMAR_SHARED(Type, name) __attribute__((shared)) Type name

namespace unmar::cuda {

struct ThreadIndex {
  struct X {
    UNMAR_DEVICE operator unsigned() const { return __nvvm_read_ptx_sreg_tid_x(); }
  } x;
};
struct BlockIndex {
  struct X {
    UNMAR_DEVICE operator unsigned() const { return __nvvm_read_ptx_sreg_ctaid_x(); }
  } x;
  struct Y {
    UNMAR_DEVICE operator unsigned() const { return __nvvm_read_ptx_sreg_ctaid_y(); }
  } y;
  struct Z {
    UNMAR_DEVICE operator unsigned() const { return __nvvm_read_ptx_sreg_ctaid_z(); }
  } z;
};
#define threadIdx (::unmar::cuda::ThreadIndex{})
#define blockIdx (::unmar::cuda::BlockIndex{})

UNMAR_DEVICE void __syncthreads() { asm volatile("bar.sync 0;" ::: "memory"); }

struct alignas(16) Float4 {
  float x, y, z, w;
};
/// Four floats from an address that is a multiple of 16 bytes.
UNMAR_DEVICE Float4 load4(const float* p) { return *reinterpret_cast<const Float4*>(p); }
UNMAR_DEVICE void store4(float* p, Float4 v) { *reinterpret_cast<Float4*>(p) = v; }

/// Rounded to the 10 bits of mantissa that tensor cores take.
UNMAR_DEVICE float to_tf32(float v) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
  return __builtin_bit_cast(float, bits);
}

/// acc[i][j] += a[i] b[j], tiles of 16 x 8 x 8 shared out over a warp as PTX says for
/// mma.sync.m16n8k8; a and b are rounded by to_tf32.
template <int M, int N>
UNMAR_DEVICE void mma(float (&acc)[M][N][4], const float (&a)[M][4], const float (&b)[N][2]) {
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j) {
      float(&d)[4] = acc[i][j];
      asm volatile(
          "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
          "{%8,%9}, {%0,%1,%2,%3};"
          : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
          : "r"(__builtin_bit_cast(unsigned, a[i][0])), "r"(__builtin_bit_cast(unsigned, a[i][1])),
            "r"(__builtin_bit_cast(unsigned, a[i][2])), "r"(__builtin_bit_cast(unsigned, a[i][3])),
            "r"(__builtin_bit_cast(unsigned, b[j][0])), "r"(__builtin_bit_cast(unsigned, b[j][1])));
    }
}

}  // namespace unmar::cuda
#endif
