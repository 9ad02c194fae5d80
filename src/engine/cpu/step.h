#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "engine/cpu/kernels.h"
#include "engine/plan/places.h"
#include "unmar/graph/graph.h"

namespace unmar::cpu {

/// What a pass over the program knows.
struct Pass {
  ThreadPool* pool;
  std::int64_t iteration = 0;
  bool jitter = true;
  NodeId from = {};                  ///< where backward starts
  const float* cotangent = nullptr;  ///< of that node, [n,c,h,w]
};

/// The buffers a step touches; the planner keeps each alive from its first use to its last.
struct Uses {
  std::vector<Buffer*> forward, backward;
};

/// How a step works, for profiles.
struct StepFacts {
  std::string how = {};           ///< "winograd 6x6"
  std::uint64_t macs = 0;         ///< multiplications of its matrix products, forward and backward
  bool makes_again = false;       ///< only repeats what other steps did in forward
  bool passes_cotangent = false;  ///< only takes what Program::backward was given
};

/// One or several fused ops of the graph, with their backward. Everything is allocated when it is
/// made.
class Step {
 public:
  virtual ~Step() = default;
  virtual Uses uses() = 0;
  virtual void forward(const Pass& pass) = 0;
  virtual void backward(const Pass& pass) = 0;
  /// After the forward of a step that is to update: what follows its values does so.
  virtual void track() {}
  /// Writes what forward wrote once more, for a Recompute step; true if this kind of step can.
  virtual bool can_recompute() const { return false; }
  virtual void recompute(const Pass&) {}
  virtual StepFacts facts() const { return {}; }
};

/// Per picture and channel: a norm's result is its source * scale + shift.
struct NormScales {
  std::vector<float> scale, shift;
};
/// How the pixels of picture `image`, of c channels, look behind the norm and activation, if any.
inline PixelMap pixel_map(const NormScales* norm, const Act& act, int image, int c) {
  if (!norm) return {};
  const auto at = static_cast<std::size_t>(image) * static_cast<std::size_t>(c);
  return {act, &norm->scale[at], &norm->shift[at]};
}

}  // namespace unmar::cpu
