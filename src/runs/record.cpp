#include <fmt/format.h>

#include "base/fail.h"
#include "runs/json.h"
#include "runs/record.h"
#include "unmar/base/checksum.h"
#include "unmar/base/files.h"

namespace unmar::runs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kFormat = 3;  ///< of run.json

RunRecord record_of(const Json& json) {
  RunRecord record;
  record.request = request_of_json(json.at("request"));
  record.resolved = options_of_json(json.at("resolved"), record.request.task);
  if (const Json& network = json.at("network"); !network.is_null())
    record.request.options.custom_network = record.resolved.custom_network =
        network_from_json(network.dump(), "its network");
  record.engine = {json.at("engine").at("name"), json.at("engine").at("description")};
  record.started = json.at("started");
  record.version = json.at("unmar");
  return record;
}

}  // namespace

Json file_facts(const fs::path& path) {
  return {{"file", path.string()}, {"sha256", sha256_of_file(path)}};
}

bool came_to_its_end(std::string_view manifest) {
  const Json json = Json::parse(manifest, nullptr, false);
  const Json result = json.is_object() ? json.value("result", Json::object()) : Json::object();
  return !result.is_object() || result.value("stopped_by", Json()) != "cancelled";
}

std::string to_json(const RunRecord& record) {
  Json checksums = Json::object();
  for_inputs(record.request.in, [&](const char* name, const fs::path& path) {
    if (!path.empty()) checksums[name] = sha256_of_file(path);
  });
  const auto& network = record.resolved.custom_network;
  const Json json = {
      {"format", kFormat},
      {"unmar", record.version},
      {"engine", {{"name", record.engine.name}, {"description", record.engine.description}}},
      {"started", record.started},
      {"request", request_to_json(record.request)},
      {"sha256", checksums},
      {"resolved", to_json(option_table(), record.resolved)},
      {"network", network ? Json::parse(network_to_json(*network)) : Json(nullptr)},
  };
  return dumped(json, "--run");
}

RunRecord read_record(const fs::path& file, std::string_view text, std::string_view where) {
  const auto damaged = [&](const std::string& why) {
    return Error(ErrorCode::bad_input,
                 fmt::format("{}: '{}' is damaged: {}", where, file.string(), why));
  };
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) throw damaged("it is no JSON object");
  RunRecord record;
  try {
    if (json.at("format") != kFormat)
      fail(ErrorCode::unsupported, "it is of format {}, this version reads {}",
           json.at("format").dump(), kFormat);
    record = record_of(json);
    for_inputs(record.request.in, [&](const char* name, const fs::path& path) {
      if (!path.empty()) json.at("sha256").at(name).get<std::string>();
    });
  } catch (const std::exception& error) {
    throw damaged(error.what());
  }
  for_inputs(record.request.in, [&](const char* name, const fs::path& path) {
    if (path.empty()) return;
    std::error_code error;
    if (!fs::is_regular_file(path, error))
      fail(ErrorCode::io, "{}: the {} '{}' is not there any more; put it back", where, name,
           path.string());
    if (sha256_of_file(path) != json.at("sha256").at(name).get<std::string>())
      fail(ErrorCode::bad_input,
           "{}: the {} '{}' is not the one that the run began with; put that one back, or begin a "
           "new run",
           where, name, path.string());
  });
  return record;
}

}  // namespace unmar::runs
