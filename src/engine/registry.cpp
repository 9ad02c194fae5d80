#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/fail.h"
#include "engine/auto_engine.h"
#include "engine/cpu/cpu_engine.h"
#ifdef UNMAR_HAS_CUDA
#include "engine/cuda/cuda_engine.h"
#endif
#include "engine/ref/ref_engine.h"
#include "unmar/engine/engine.h"

namespace unmar {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Engine> (*make)();  ///< nullptr: not built in
};

#ifndef UNMAR_HAS_CUDA
constexpr std::unique_ptr<Engine> (*make_cuda_engine)() = nullptr;
#endif

/// All that there are, by name.
constexpr Entry kEngines[] = {
    {"cpu", make_cpu_engine},
    {"cuda", make_cuda_engine},
    {"ref", make_ref_engine},
};

/// An engine with one of its devices.
class OnDevice final : public Engine {
 public:
  OnDevice(std::unique_ptr<Engine> engine, DeviceInfo device)
      : engine_(std::move(engine)), name_(std::move(device.name)) {}
  EngineInfo info() const override { return {engine_->info().name, devices()[0].description}; }
  std::vector<DeviceInfo> devices() const override {
    std::vector<DeviceInfo> devices = engine_->devices();
    std::erase_if(devices, [&](const DeviceInfo& d) { return d.name != name_; });
    return devices;
  }
  std::vector<std::string> missing(const Graph& graph) const override {
    return engine_->missing(graph);
  }
  std::size_t memory_needed(const Graph& graph, const CompileOptions& options) const override {
    return engine_->memory_needed(graph, options);
  }
  std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) override {
    require_support(*this, graph, options.device);
    CompileOptions here = options;
    here.device = name_;
    return engine_->compile(graph, here);
  }

 private:
  std::unique_ptr<Engine> engine_;
  std::string name_;
};

std::unique_ptr<Engine> on_device(std::unique_ptr<Engine> engine, std::string_view name) {
  std::vector<std::string> known;
  for (DeviceInfo& device : engine->devices()) {
    if (device.name == name) return std::make_unique<OnDevice>(std::move(engine), device);
    known.push_back(device.name);
  }
  fail(ErrorCode::bad_argument, "engine '{}': device must be one of {}, got '{}'",
       engine->info().name, fmt::join(known, ", "), name);
}

struct Available {
  std::string name;
  std::unique_ptr<Engine> engine;
  int score;
};

/// Those that have a device here, the best first.
std::vector<Available> available() {
  std::vector<Available> engines;
  for (const Entry& entry : kEngines) {
    if (!entry.make) continue;
    auto engine = entry.make();
    const std::vector<DeviceInfo> devices = engine->devices();
    if (!devices.empty()) engines.push_back({entry.name, std::move(engine), devices[0].score});
  }
  std::ranges::stable_sort(engines, std::ranges::greater{}, &Available::score);
  return engines;
}

}  // namespace

std::vector<std::string> engine_names() {
  std::vector<std::string> names;
  for (const Available& entry : available()) names.push_back(entry.name);
  return names;
}

std::unique_ptr<Engine> make_engine(std::string_view name) {
  if (name == "auto") {
    std::vector<std::unique_ptr<Engine>> engines;
    for (Available& entry : available())
      if (entry.score > 0) engines.push_back(std::move(entry.engine));
    return make_auto_engine(std::move(engines));
  }
  const std::string_view base = name.substr(0, name.find(':'));
  const auto* entry = std::ranges::find(kEngines, base, &Entry::name);
  if (entry == std::end(kEngines))
    fail(ErrorCode::bad_argument, "engine: name must be auto or one of {}, got '{}'",
         fmt::join(engine_names(), ", "), name);
  if (!entry->make)
    fail(ErrorCode::unsupported,
         "engine '{}': not built in; install clang and build with UNMAR_CUDA=1, or use one of {}",
         base, fmt::join(engine_names(), ", "));
  auto engine = entry->make();
  if (engine->devices().empty())
    fail(ErrorCode::unsupported, "engine '{}': {}; use one of {}", base, engine->why_no_device(),
         fmt::join(engine_names(), ", "));
  return base == name ? std::move(engine) : on_device(std::move(engine), name);
}

}  // namespace unmar
