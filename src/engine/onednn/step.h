#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "engine/onednn/plan.h"

namespace unmar::cpu {

/// What a pass over the program knows.
struct Pass {
  ThreadPool& pool;
  std::int64_t iteration = 0;
  bool jitter = true;
};

/// The buffers a step touches; the planner keeps each alive from its first use to its last.
struct Uses {
  std::vector<Buffer*> forward, backward;
};

/// One or several fused ops of the graph, with their backward. Everything is allocated when it is
/// made.
class Step {
 public:
  virtual ~Step() = default;
  virtual Uses uses() = 0;
  virtual void forward(const Pass& pass) = 0;
  virtual void backward(const Pass& pass) = 0;
};

/// Where the gradient of a source goes: nowhere, or written, or added to what later steps wrote.
struct GradPlace {
  Place place;
  bool accumulate = false;
  explicit operator bool() const { return static_cast<bool>(place); }
};

/// Per picture and channel: a norm's result is its source * scale + shift.
struct NormScales {
  std::vector<float> scale, shift;
};

/// A learned tensor in the flat parameter buffer.
struct ParamPlace {
  float* value = nullptr;
  float* grad = nullptr;
};

}  // namespace unmar::cpu
