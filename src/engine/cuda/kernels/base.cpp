/// The kernels that every program needs.
#include "engine/cuda/kernels/around.h"
#include "engine/cuda/kernels/norm_finish.h"
#include "engine/cuda/kernels/sums.h"
