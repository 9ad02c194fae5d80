#include <utility>

#include "base/fail.h"
#include "unmar/engine/engine.h"

namespace unmar {

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
