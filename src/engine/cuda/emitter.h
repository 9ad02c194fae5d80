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
#define UNMAR_CUDA_NAME(name, module, Args, threads, shared) name,
  UNMAR_CUDA_KERNELS(UNMAR_CUDA_NAME)
#undef UNMAR_CUDA_NAME
};

template <Kernel kKernel>
struct KernelOf;
#define UNMAR_CUDA_KERNEL_OF(name, module, Args_, threads_, shared) \
  template <>                                                       \
  struct KernelOf<Kernel::name> {                                   \
    using Args = Args_;                                             \
    static constexpr unsigned kThreads = threads_;                  \
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
  alignas(8) std::array<std::byte, 320> args;
  bool aside = false;  ///< may run beside those behind it, up to the next one that joins
  bool joins = false;  ///< waits for all that run aside
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
    join();
  }
  /// What is launched next waits for all that runs aside.
  void join() { joins_ = true; }
  /// What `body` launches needs nothing of what is launched behind it in this step, which needs
  /// nothing of it.
  template <class Body>
  void aside(const Body& body) {
    aside_ = true;
    body();
    aside_ = false;
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

  /// A part of a buffer.
  float* at(Buffer* buffer, std::size_t first, std::size_t floats) {
    if (planning_) return use(buffer);
    named_ += floats * sizeof(float);
    return buffer->data + first;
  }

  template <Kernel kKernel>
  void launch(Grid grid, const typename KernelOf<kKernel>::Args& args) {
    using Args = typename KernelOf<kKernel>::Args;
    static_assert(std::is_trivially_copyable_v<Args> && sizeof(Args) <= sizeof(Launch::args));
    const std::size_t bytes = std::exchange(named_, 0);
    if (planning_ || grid.x == 0) return;
    Launch& launch = launches_.emplace_back(Launch{.kernel = kKernel,
                                                   .grid = grid,
                                                   .threads = KernelOf<kKernel>::kThreads,
                                                   .args = {},
                                                   .step = step_,
                                                   .in_backward = in_backward_,
                                                   .bytes = bytes});
    std::memcpy(launch.args.data(), &args, sizeof args);
    launch.aside = aside_;
    launch.joins = std::exchange(joins_, false);
  }

  std::vector<Launch> take() { return std::exchange(launches_, {}); }

 private:
  float* use(Buffer* buffer) {
    if (!buffer->data) buffer->use(time_, in_backward_);
    return nullptr;
  }

  bool planning_, in_backward_ = false, aside_ = false, joins_ = true;
  int time_ = 0, step_ = -1;
  std::size_t named_ = 0;  ///< since the last launch
  std::vector<Launch> launches_;
};

}  // namespace unmar::cuda
