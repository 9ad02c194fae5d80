/// The products of tf32 factors: a module of its own, for few programs need more than one.
#include "engine/cuda/kernels/conv.h"

namespace unmar::cuda {

UNMAR_PREPARE(tf32, Tf32)
UNMAR_CONV(tf32, Tf32, 32)
UNMAR_CONV(tf32, Tf32, 128)
UNMAR_CONV(tf32, Tf32, 136)
UNMAR_WEIGHT(tf32, Tf32, 32)
UNMAR_WEIGHT(tf32, Tf32, 128)

}  // namespace unmar::cuda
