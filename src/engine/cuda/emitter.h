#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/cuda/kernels/args.h"
#include "engine/plan/places.h"

/// How a step says what it launches, and with which memory.
namespace unmar::cuda {

enum class Kernel {
#define UNMAR_CUDA_NAME(name, Args, threads) name,
  UNMAR_CUDA_KERNELS(UNMAR_CUDA_NAME)
#undef UNMAR_CUDA_NAME
};

template <Kernel kKernel>
struct KernelOf;
#define UNMAR_CUDA_KERNEL_OF(name, Args_, threads_) \
  template <>                                       \
  struct KernelOf<Kernel::name> {                   \
    using Args = Args_;                             \
    static constexpr unsigned kThreads = threads_;  \
  };
UNMAR_CUDA_KERNELS(UNMAR_CUDA_KERNEL_OF)
#undef UNMAR_CUDA_KERNEL_OF

struct Grid {
  unsigned x = 1, y = 1, z = 1;
};

/// One launch with its arguments, ready to be repeated.
struct Launch {
  Kernel kernel;
  Grid grid;
  unsigned threads;
  alignas(8) std::array<std::byte, 256> args;
  // For profiles:
  int step = -1;
  bool in_backward = false;
  std::size_t bytes = 0;  ///< of the values, gradients and buffers that it names
};

inline unsigned blocks(std::size_t threads, unsigned per_block = 256) {
  return static_cast<unsigned>((threads + per_block - 1) / per_block);
}

/// Takes down the launches of steps. It runs twice: first without addresses, only to learn which
/// buffer is used when; then, with all buffers in place, for good.
class Emitter {
 public:
  explicit Emitter(bool planning) : planning_(planning) {}

  /// From here on uses are at this time.
  void set_time(int time, bool in_backward, int step) {
    time_ = time;
    in_backward_ = in_backward;
    step_ = step;
  }

  /// Where a place or buffer lies; this use of it is noted.
  float* at(const Place& place) {
    if (!place) return nullptr;
    if (planning_) return use(place.buffer);
    named_ += place.shape.count() * sizeof(float);
    return place.buffer->data + place.offset;
  }
  float* at(Buffer* buffer) {
    if (!buffer) return nullptr;
    if (planning_) return use(buffer);
    named_ += buffer->floats * sizeof(float);
    return buffer->data;
  }

  template <Kernel kKernel>
  void launch(Grid grid, const typename KernelOf<kKernel>::Args& args) {
    using Args = typename KernelOf<kKernel>::Args;
    static_assert(std::is_trivially_copyable_v<Args> && sizeof(Args) <= sizeof(Launch::args));
    const std::size_t bytes = std::exchange(named_, 0);
    if (planning_ || grid.x == 0) return;
    Launch& launch = launches_.emplace_back(
        Launch{kKernel, grid, KernelOf<kKernel>::kThreads, {}, step_, in_backward_, bytes});
    std::memcpy(launch.args.data(), &args, sizeof args);
  }

  std::vector<Launch> take() { return std::exchange(launches_, {}); }

 private:
  float* use(Buffer* buffer) {
    if (!buffer->data) buffer->use(time_, in_backward_);
    return nullptr;
  }

  bool planning_, in_backward_ = false;
  int time_ = 0, step_ = -1;
  std::size_t named_ = 0;  ///< since the last launch
  std::vector<Launch> launches_;
};

}  // namespace unmar::cuda
