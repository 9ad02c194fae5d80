/// The products of fp32 factors: a module of its own, for few programs need more than one.
#include "engine/cuda/kernels/conv.h"

namespace unmar::cuda {

UNMAR_PREPARE(fp32, Fp32)
UNMAR_CONV(fp32, Fp32, 32)
UNMAR_WEIGHT(fp32, Fp32, 32)

}  // namespace unmar::cuda
