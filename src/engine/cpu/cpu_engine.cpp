#include "engine/cpu/cpu_engine.h"

#include <hwy/highway.h>

#include "base/limits.h"
#include "engine/cpu/program.h"

namespace unmar {
namespace {

class CpuEngine : public Engine {
 public:
  EngineInfo info() const override {
    // The lowest bit is the best instruction set of this machine.
    const auto targets = hwy::SupportedTargets();
    return {"cpu", hwy::TargetName(targets & -targets)};
  }
  std::vector<DeviceInfo> devices() const override {
    return {{"cpu", info().description, available_memory().value_or(0), 100}};
  }
  std::vector<std::string> missing(const Graph&) const override { return {}; }
  std::size_t memory_needed(const Graph& graph, const CompileOptions& options) const override {
    return cpu::program_bytes(graph, options);
  }
  std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) override {
    require_support(*this, graph, options.device);
    return cpu::make_program(graph, options);
  }
};

}  // namespace

std::unique_ptr<Engine> make_cpu_engine() { return std::make_unique<CpuEngine>(); }

}  // namespace unmar
