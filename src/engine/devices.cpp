#include <fmt/ranges.h>

#include <algorithm>

#include "base/fail.h"
#include "unmar/engine/engine.h"

namespace unmar {
namespace {

/// "'up2' (resize)"
std::string with_op(const Graph& graph, const std::string& name) {
  const auto node = std::ranges::find(graph.nodes(), name, &Node::name);
  return node == graph.nodes().end() ? fmt::format("'{}'", name)
                                     : fmt::format("'{}' ({})", name, op_name(node->op));
}

}  // namespace

void require_support(const Engine& engine, const Graph& graph, std::string_view device) {
  const std::string name = engine.info().name;
  const std::vector<DeviceInfo> devices = engine.devices();
  if (devices.empty())
    fail(ErrorCode::unsupported, "engine '{}': {}; use 'auto'", name, engine.why_no_device());
  if (!device.empty() && std::ranges::find(devices, device, &DeviceInfo::name) == devices.end()) {
    std::vector<std::string> known;
    for (const DeviceInfo& d : devices) known.push_back(d.name);
    fail(ErrorCode::bad_argument, "engine '{}': device must be one of {}, got '{}'", name,
         fmt::join(known, ", "), device);
  }
  std::vector<std::string> missing = engine.missing(graph);
  if (missing.empty()) return;
  for (std::string& op : missing) op = with_op(graph, op);
  fail(ErrorCode::unsupported, "engine '{}': it cannot run {}; use another engine", name,
       fmt::join(missing, ", "));
}

}  // namespace unmar
