#pragma once

#include "engine/fake_cuda/simt.h"

namespace unmar::fake_cuda {

/// A kernel of the engine as a function of its arguments' bytes.
struct NamedKernel {
  const char* name;
  std::size_t args_size;
  unsigned threads, shared;
  void (*run)(const void* args);
};
/// nullptr: there is none of this name.
const NamedKernel* find_kernel(const char* name);

}  // namespace unmar::fake_cuda
