#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/cuda/device.h"
#include "engine/plan/param_layout.h"
#include "engine/plan/places.h"
#include "unmar/engine/engine.h"

namespace unmar::cuda {

/// A state that stays on the card.
struct DeviceSnapshot : Program::Snapshot {
  DeviceMemory values, m, v, averages;
  std::int64_t updates = 0;
};

/// The parameters of a program on the card, flat, with gradients, Adam's moments and averages.
class DeviceParams {
 public:
  /// Takes the memory, which holds anything at first. The graph must outlive it.
  DeviceParams(const Graph& graph, const CompileOptions& options,
               const std::shared_ptr<CardInUse>& card);
  /// The parameters as they are drawn, all else 0.
  void upload_start(Queue& queue, const Graph& graph, std::uint64_t seed) const;

  std::size_t floats() const { return layout_.floats(); }
  std::vector<ParamPlace> places(const Graph& graph) const;
  /// What one update reads and writes.
  AdamArgs adam_args(const Pass* pass) const;
  float* grads() const { return grads_.data(); }

  /// Each waits until it is done.
  std::vector<Tensor> download_grads(Queue& queue) const { return download(queue, grads_); }
  TrainState download_state(Queue& queue, std::int64_t updates) const;
  TrainState download(Queue& queue, const DeviceSnapshot& snapshot) const;
  /// These do not wait.
  void copy_to(Queue& queue, DeviceSnapshot& snapshot) const;
  void copy_from(Queue& queue, const DeviceSnapshot& snapshot) const;
  std::unique_ptr<DeviceSnapshot> make_snapshot(const std::shared_ptr<CardInUse>& card) const;
  void require(const TrainState& state) const;
  void upload_state(Queue& queue, const TrainState& state) const;

 private:
  std::vector<Tensor> download(Queue& queue, const DeviceMemory& memory) const;
  void upload(Queue& queue, const std::vector<Tensor>& tensors, const DeviceMemory& memory) const;

  ParamLayout layout_;
  DeviceMemory values_, grads_, m_, v_, averages_;
};

}  // namespace unmar::cuda
