/// The kernels of ops that few programs have; their values are fp32.
#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/pixels.h"
#include "engine/cuda/kernels/pointwise_fp32.h"
