/// The products of bf16 factors, and all that reads or writes values stored as bf16: a module of
/// its own, for few programs need more than one.
#include "engine/cuda/kernels/conv.h"
#include "engine/cuda/kernels/norm.h"
#include "engine/cuda/kernels/parts.h"
#include "engine/cuda/kernels/pointwise.h"
#include "engine/cuda/kernels/pool.h"
#include "engine/cuda/kernels/resample.h"

namespace unmar::cuda {

UNMAR_PREPARE(bf16, Bf16)
UNMAR_CONV(bf16, Bf16, 32)
UNMAR_CONV(bf16, Bf16, 128)
UNMAR_CONV(bf16, Bf16, 136)
UNMAR_WEIGHT(bf16, Bf16, 32)
UNMAR_WEIGHT(bf16, Bf16, 128)

#define UNMAR_BF16_KERNEL(name, Args, unused) \
  UNMAR_KERNEL(name##_bf16, Args, 256) { name##_of<EitherKind>(a); }
UNMAR_CUDA_VALUE_KERNELS(UNMAR_BF16_KERNEL, )

}  // namespace unmar::cuda
