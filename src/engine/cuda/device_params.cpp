#include "engine/cuda/device_params.h"

namespace unmar::cuda {

DeviceParams::DeviceParams(const Graph& graph, const CompileOptions& options,
                           const std::shared_ptr<CardInUse>& card)
    : layout_(graph) {
  for (DeviceMemory* memory : {&values_, &grads_, &m_, &v_}) *memory = DeviceMemory(card, floats());
  if (options.ema_decay > 0) averages_ = DeviceMemory(card, floats());
}

void DeviceParams::upload_start(Queue& queue, const Graph& graph, std::uint64_t seed) const {
  for (const DeviceMemory* memory : {&grads_, &m_, &v_}) queue.fill(memory->data(), floats(), 0.f);
  std::vector<Tensor> start;
  for (const Param& p : graph.params()) start.push_back(draw(p, seed));
  upload(queue, start, values_);
  if (averages_.floats() > 0) upload(queue, start, averages_);
}

std::vector<ParamPlace> DeviceParams::places(const Graph& graph) const {
  std::vector<ParamPlace> places;
  for (std::size_t i = 0; i < graph.params().size(); ++i) {
    const bool frozen = graph.params()[i].frozen;  // its gradient stays 0, so it never changes
    const std::size_t offset = layout_.offset(i);
    places.push_back({values_.data() + offset, frozen ? nullptr : grads_.data() + offset});
  }
  return places;
}

AdamArgs DeviceParams::adam_args(const Pass* pass) const {
  return {pass, values_.data(), grads_.data(), m_.data(), v_.data(), averages_.data(), floats()};
}

TrainState DeviceParams::download_state(Queue& queue, std::int64_t updates) const {
  return {download(queue, values_), download(queue, m_), download(queue, v_), updates,
          averages_.floats() > 0 ? download(queue, averages_) : std::vector<Tensor>()};
}

TrainState DeviceParams::download(Queue& queue, const DeviceSnapshot& s) const {
  return {download(queue, s.values), download(queue, s.m), download(queue, s.v), s.updates,
          s.averages.floats() > 0 ? download(queue, s.averages) : std::vector<Tensor>()};
}

std::unique_ptr<DeviceSnapshot> DeviceParams::make_snapshot(
    const std::shared_ptr<CardInUse>& card) const {
  auto snapshot = std::make_unique<DeviceSnapshot>();
  for (DeviceMemory* memory : {&snapshot->values, &snapshot->m, &snapshot->v})
    *memory = DeviceMemory(card, floats());
  snapshot->averages = DeviceMemory(card, averages_.floats());
  return snapshot;
}

void DeviceParams::copy_to(Queue& queue, DeviceSnapshot& s) const {
  queue.copy(values_, s.values);
  queue.copy(m_, s.m);
  queue.copy(v_, s.v);
  queue.copy(averages_, s.averages);
}

void DeviceParams::copy_from(Queue& queue, const DeviceSnapshot& s) const {
  queue.copy(s.values, values_);
  queue.copy(s.m, m_);
  queue.copy(s.v, v_);
  queue.copy(s.averages, averages_);
}

void DeviceParams::require(const TrainState& state) const {
  for (const auto* tensors : {&state.params, &state.m, &state.v}) layout_.require(*tensors);
  if (!state.averages.empty()) layout_.require(state.averages);
}

void DeviceParams::upload_state(Queue& queue, const TrainState& state) const {
  upload(queue, state.params, values_);
  upload(queue, state.m, m_);
  upload(queue, state.v, v_);
  if (averages_.floats() > 0)
    upload(queue, state.averages.empty() ? state.params : state.averages, averages_);
}

std::vector<Tensor> DeviceParams::download(Queue& queue, const DeviceMemory& memory) const {
  std::vector<float> flat(memory.floats());
  queue.download(memory.data(), flat.data(), flat.size() * sizeof(float));
  queue.wait();
  return layout_.to_tensors(flat.data());
}

void DeviceParams::upload(Queue& queue, const std::vector<Tensor>& tensors,
                          const DeviceMemory& memory) const {
  std::vector<float> flat(memory.floats());
  layout_.from_tensors(tensors, flat.data());
  queue.upload(flat.data(), memory.data(), flat.size() * sizeof(float));
  queue.wait();
}

}  // namespace unmar::cuda
