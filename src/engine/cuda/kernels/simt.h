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
/// The bytes set aside at launch, from a multiple of 16 on.
#define UNMAR_SHARED_BYTES(name) char* name = dynamic_shared

namespace unmar::cuda {

extern __attribute__((shared, aligned(128))) char dynamic_shared[];

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
struct alignas(8) Float2 {
  float x, y;
};
/// From, or to, an address that is a multiple of 8 bytes.
UNMAR_DEVICE Float2 load2(const float* p) { return *reinterpret_cast<const Float2*>(p); }
UNMAR_DEVICE void store2(float* p, Float2 v) { *reinterpret_cast<Float2*>(p) = v; }

/// Rounded to the 10 bits of mantissa that tensor cores take.
UNMAR_DEVICE float to_tf32(float v) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
  return __builtin_bit_cast(float, bits);
}

/// Two values as bf16, `low` in the lower half.
UNMAR_DEVICE unsigned to_bf16(float low, float high) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

/// Where something lies in shared memory, in bytes: what copies and loads of matrices take.
using SharedAddress = unsigned;
UNMAR_DEVICE SharedAddress shared_address(const char* p) {
  SharedAddress address;
  asm("{ .reg .u64 a; cvta.to.shared.u64 a, %1; cvt.u32.u64 %0, a; }" : "=r"(address) : "l"(p));
  return address;
}
UNMAR_DEVICE unsigned load_word(SharedAddress p) {
  unsigned word;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(word) : "r"(p) : "memory");
  return word;
}
/// 16 bytes to shared memory, or zeros unless `wanted`. They are there once wait_copies says so.
UNMAR_DEVICE void copy16(SharedAddress to, const void* from, bool wanted = true) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(wanted ? 16 : 0)
               : "memory");
}
/// The same of what the multiprocessor soon reads again: through its own cache.
UNMAR_DEVICE void copy16_again(SharedAddress to, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}
/// The copies since the last call are a batch.
UNMAR_DEVICE void end_batch() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits for this thread's batches but the last kLeft.
template <int kLeft>
UNMAR_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}

/// Four 8x8 matrices of 16-bit elements from shared memory, shared out over a warp as PTX says for
/// ldmatrix.x4; lane l gives the address of row l % 8 of matrix l / 8.
template <bool kTransposed>
UNMAR_DEVICE void load_matrices(unsigned (&m)[4], SharedAddress row) {
  if (kTransposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(row)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(row)
                 : "memory");
}

/// acc[i][j] += a[i] b[j], tiles of 16 x 8 x 32 bytes shared out over a warp as PTX says for
/// mma.sync.m16n8k8 of tf32 and mma.sync.m16n8k16 of bf16.
#define UNMAR_MULTIPLY(shape_and_types)                                                            \
  asm("mma.sync.aligned." shape_and_types " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                             \
      : "r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]), "r"(b[j][0]), "r"(b[j][1]))
template <bool kBf16, int M, int N>
UNMAR_DEVICE void multiply(float (&acc)[M][N][4], const unsigned (&a)[M][4],
                           const unsigned (&b)[N][2]) {
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j) {
      float(&d)[4] = acc[i][j];
      if (kBf16)
        UNMAR_MULTIPLY("m16n8k16.row.col.f32.bf16.bf16.f32");
      else
        UNMAR_MULTIPLY("m16n8k8.row.col.f32.tf32.tf32.f32");
    }
}
#undef UNMAR_MULTIPLY

}  // namespace unmar::cuda
#endif
