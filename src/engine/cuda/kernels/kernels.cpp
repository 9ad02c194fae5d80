/// All kernels, for clang to make PTX of (see the CMake file of the engine).
#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/conv.h"
#include "engine/cuda/kernels/norm.h"
#include "engine/cuda/kernels/resample.h"
