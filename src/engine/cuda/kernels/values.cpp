/// The kernels of Values for fp32 alone: a module of its own, for programs of bf16 have theirs.
#include "engine/cuda/kernels/norm.h"
#include "engine/cuda/kernels/parts.h"
#include "engine/cuda/kernels/pointwise.h"
#include "engine/cuda/kernels/pool.h"
#include "engine/cuda/kernels/resample.h"

namespace unmar::cuda {

#define UNMAR_FP32_KERNEL(name, Args, unused) \
  UNMAR_KERNEL(name, Args, 256) { name##_of<OnlyFp32>(a); }
UNMAR_CUDA_VALUE_KERNELS(UNMAR_FP32_KERNEL, )

}  // namespace unmar::cuda
