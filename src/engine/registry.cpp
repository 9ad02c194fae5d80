#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/fail.h"
#include "engine/auto_engine.h"
#include "engine/cpu/cpu_engine.h"
#include "engine/ref/ref_engine.h"
#include "unmar/engine/engine.h"

namespace unmar {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Engine> (*make)();
};

/// All that are built in, by name.
constexpr Entry kEngines[] = {
    {"cpu", make_cpu_engine},
    {"ref", make_ref_engine},
};

struct Available {
  std::string name;
  std::unique_ptr<Engine> engine;
  int score;
};

/// Those that have a device here, the best first.
std::vector<Available> available() {
  std::vector<Available> engines;
  for (const Entry& entry : kEngines) {
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
  const auto* entry = std::ranges::find(kEngines, name, &Entry::name);
  if (entry == std::end(kEngines))
    fail(ErrorCode::bad_argument, "engine: name must be auto or one of {}, got '{}'",
         fmt::join(engine_names(), ", "), name);
  auto engine = entry->make();
  if (engine->devices().empty())
    fail(ErrorCode::unsupported, "engine '{}': it finds no device on this machine; use one of {}",
         name, fmt::join(engine_names(), ", "));
  return engine;
}

}  // namespace unmar
