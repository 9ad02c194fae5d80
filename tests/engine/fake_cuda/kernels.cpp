#include "engine/fake_cuda/kernels.h"

#include <cstring>

#define UNMAR_SIMT "engine/fake_cuda/simt.h"
#include "engine/cuda/kernels/base.cpp"
#include "engine/cuda/kernels/others.cpp"
#include "engine/cuda/kernels/products_bf16.cpp"
#include "engine/cuda/kernels/products_fp32.cpp"
#include "engine/cuda/kernels/products_tf32.cpp"
#include "engine/cuda/kernels/values.cpp"

namespace unmar::fake_cuda {
namespace {

constexpr NamedKernel kKernels[] = {
#define UNMAR_FAKE_KERNEL(name, module, Args, threads, shared) \
  {#name, sizeof(cuda::Args), threads, shared,                 \
   [](const void* args) { cuda::name(*static_cast<const cuda::Args*>(args)); }},
    UNMAR_CUDA_KERNELS(UNMAR_FAKE_KERNEL)
#undef UNMAR_FAKE_KERNEL
};

}  // namespace

const NamedKernel* find_kernel(const char* name) {
  for (const NamedKernel& kernel : kKernels)
    if (std::strcmp(kernel.name, name) == 0) return &kernel;
  return nullptr;
}

}  // namespace unmar::fake_cuda
