/// All kernels but the products of convolutions: the module that every program needs.
#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/norm.h"
#include "engine/cuda/kernels/parts.h"
#include "engine/cuda/kernels/pointwise.h"
#include "engine/cuda/kernels/resample.h"
