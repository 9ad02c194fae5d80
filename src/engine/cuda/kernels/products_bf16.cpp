/// The products of bf16 factors: a module of its own, for few programs need more than one.
#include "engine/cuda/kernels/conv.h"

namespace unmar::cuda {

UNMAR_PREPARE(bf16, Bf16)
UNMAR_CONV(bf16, Bf16, 32)
UNMAR_CONV(bf16, Bf16, 128)
UNMAR_CONV(bf16, Bf16, 136)
UNMAR_WEIGHT(bf16, Bf16, 32)
UNMAR_WEIGHT(bf16, Bf16, 128)

}  // namespace unmar::cuda
