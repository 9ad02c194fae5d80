#include <fmt/ranges.h>

#include "base/fail.h"
#include "engine/cpu/cpu_engine.h"
#include "engine/ref/ref_engine.h"
#include "unmar/engine.h"

namespace unmar {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Engine> (*make)();
};

/// Best first.
constexpr Entry kEngines[] = {
    {"cpu", make_cpu_engine},
    {"ref", make_ref_engine},
};

}  // namespace

std::vector<std::string> engine_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEngines) names.emplace_back(entry.name);
  return names;
}

std::unique_ptr<Engine> make_engine(std::string_view name) {
  if (name == "auto") return kEngines[0].make();
  for (const Entry& entry : kEngines)
    if (name == entry.name) return entry.make();
  fail(ErrorCode::bad_argument, "engine: name must be auto or one of {}, got '{}'",
       fmt::join(engine_names(), ", "), name);
}

}  // namespace unmar
