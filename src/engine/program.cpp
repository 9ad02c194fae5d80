#include <utility>

#include "base/fail.h"
#include "unmar/engine/engine.h"

namespace unmar {

namespace {

struct HostSnapshot : Program::Snapshot {
  explicit HostSnapshot(TrainState s) : state(std::move(s)) {}
  TrainState state;
};

}  // namespace

std::shared_ptr<const Program::Snapshot> Program::take_snapshot() const {
  return std::make_shared<HostSnapshot>(state());
}
void Program::restore_snapshot(const Snapshot& snapshot) { restore(state_of(snapshot)); }
TrainState Program::state_of(const Snapshot& snapshot) const {
  return static_cast<const HostSnapshot&>(snapshot).state;
}

void Program::start_step(const Adam& adam, std::int64_t iteration, const std::stop_token& cancel) {
  started_ = {adam, iteration, cancel};
}

std::optional<float> Program::finish_step() {
  if (!started_) fail(ErrorCode::bad_argument, "finish_step: call start_step() first");
  const Started started = *std::exchange(started_, std::nullopt);
  return step(started.adam, started.iteration, started.cancel);
}

void Program::drop_step() { started_.reset(); }

std::size_t memory_free(const Engine& engine, const Graph& graph, std::string_view device) {
  for (const DeviceInfo& d : engine.chosen_for(graph).devices())
    if (device.empty() || d.name == device) return d.memory_free;
  return 0;
}

}  // namespace unmar
