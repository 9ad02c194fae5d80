#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/cuda/kernels/args.h"
#include "engine/plan/places.h"
#include "unmar/engine/engine.h"

/// How a step says what it launches, and with which memory.
namespace unmar::cuda {

enum class Kernel {
#define UNMAR_CUDA_NAME(name, module, Args, threads, shared) name,
  UNMAR_CUDA_KERNELS(UNMAR_CUDA_NAME)
#undef UNMAR_CUDA_NAME
};

template <Kernel kKernel>
struct KernelOf;
#define UNMAR_CUDA_KERNEL_OF(name, module, Args_, threads_, shared)        \
  template <>                                                              \
  struct KernelOf<Kernel::name> {                                          \
    using Args = Args_;                                                    \
    static constexpr unsigned kThreads = threads_;                         \
    static constexpr bool kIsOfBf16 = std::string_view(#module) == "bf16"; \
  };
UNMAR_CUDA_KERNELS(UNMAR_CUDA_KERNEL_OF)
#undef UNMAR_CUDA_KERNEL_OF

#define UNMAR_CUDA_COUNT(name, Args, unused) +1
constexpr int kValueKernels = UNMAR_CUDA_VALUE_KERNELS(UNMAR_CUDA_COUNT, );
#undef UNMAR_CUDA_COUNT
/// The one for Values of either kind, where there are two.
constexpr Kernel for_either_kind(Kernel kernel) {
  const int index = static_cast<int>(kernel);
  return index < kValueKernels ? static_cast<Kernel>(index + kValueKernels) : kernel;
}

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

/// From the element that lies so many behind.
inline Values shifted(const Values& v, std::ptrdiff_t elements) {
  if (!v.data) return v;
  return {static_cast<std::byte*>(v.data) + elements * (v.bf16 ? 2 : 4), v.ld, v.bf16};
}

/// Takes down the launches of steps. It runs twice: first without addresses, only to learn which
/// buffer is used when; then, with all buffers in place, for good.
class Emitter {
 public:
  Emitter(bool planning, Precision precision) : planning_(planning), precision_(precision) {}

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
  Values values(const Place& place) {
    if (!place) return {};
    has_bf16_ |= place.element == Element::bf16;
    const Values v{planning_ ? use(place.buffer) : place.buffer->data, place.ld,
                   place.element == Element::bf16};
    if (planning_) return v;
    named_ += place.bytes();
    return shifted(v, place.offset);
  }
  /// The same of what is fp32.
  float* at(const Place& place) {
    if (place.element == Element::bf16) refuse_bf16();
    return static_cast<float*>(values(place).data);
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
    constexpr bool kTakesBf16 =
        static_cast<int>(kKernel) < kValueKernels || KernelOf<kKernel>::kIsOfBf16;
    if (std::exchange(has_bf16_, false) && !kTakesBf16) refuse_bf16();
    if (planning_ || grid.x == 0) return;
    Launch& launch = launches_.emplace_back(Launch{.kernel = kKernel,
                                                   .grid = grid,
                                                   .threads = KernelOf<kKernel>::kThreads,
                                                   .args = {},
                                                   .step = step_,
                                                   .in_backward = in_backward_,
                                                   .bytes = bytes});
    std::memcpy(launch.args.data(), &args, sizeof args);
    if (precision_ == Precision::bf16) launch.kernel = for_either_kind(kKernel);
    launch.aside = aside_;
    launch.joins = std::exchange(joins_, false);
  }

  std::vector<Launch> take() { return std::exchange(launches_, {}); }

 private:
  float* use(Buffer* buffer) {
    if (!buffer->data) buffer->use(time_, in_backward_);
    return nullptr;
  }

  /// A fault of a lowering: choose_elements() must know that the op is for fp32 alone.
  [[noreturn]] static void refuse_bf16() {
    throw std::logic_error("cuda: a kernel for fp32 was given values that are bf16");
  }

  bool planning_;
  Precision precision_;
  bool in_backward_ = false, aside_ = false, joins_ = true;
  int time_ = 0, step_ = -1;
  std::size_t named_ = 0;  ///< since the last launch
  bool has_bf16_ = false;  ///< the same: whether any of it is bf16
  std::vector<Launch> launches_;
};

}  // namespace unmar::cuda
