/// All kernels but the products of convolutions, for values of fp32: the module that every program
/// needs.
#include "engine/cuda/kernels/around.h"
#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/norm.h"
#include "engine/cuda/kernels/norm_finish.h"
#include "engine/cuda/kernels/parts.h"
#include "engine/cuda/kernels/pixels.h"
#include "engine/cuda/kernels/pointwise.h"
#include "engine/cuda/kernels/pointwise_fp32.h"
#include "engine/cuda/kernels/pool.h"
#include "engine/cuda/kernels/resample.h"
#include "engine/cuda/kernels/sums.h"

namespace unmar::cuda {

#define UNMAR_FP32_KERNEL(name, Args, unused) \
  UNMAR_KERNEL(name, Args, 256) { name##_of<OnlyFp32>(a); }
UNMAR_CUDA_VALUE_KERNELS(UNMAR_FP32_KERNEL, )

}  // namespace unmar::cuda
