#include <fmt/format.h>

#include <new>

#include "base/fail.h"
#include "runs/json.h"
#include "runs/moved.h"
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

bool is_the_file(const fs::path& path, const std::string& sha256) {
  std::error_code error;
  return fs::is_regular_file(path, error) && sha256_of_file(path) == sha256;
}

/// The result, and what stands beside it, go where they were to go. If that place is gone, they
/// follow the inputs that moved, and else stand beside the run's folder.
void move_outputs(RunOutputs& out, const std::vector<Moved>& moved, const fs::path& folder,
                  std::vector<std::string>& told) {
  if (moved.empty()) return;
  const fs::path beside =
      moved.front().new_root == folder ? folder.parent_path() : moved.front().new_root;
  for_outputs(out, [&](const char* name, fs::path& path) {
    std::error_code error;
    if (path.empty() || fs::is_directory(path.parent_path(), error)) return;
    fs::path now = beside / path.filename();
    for (const Moved& m : moved)
      if (const auto place = follow(m, path);
          place && fs::is_directory(place->parent_path(), error))
        now = *place;
    told.push_back(fmt::format("the folder of the {} '{}' is gone; it becomes '{}'", name,
                               path.string(), now.string()));
    path = now;
  });
}

}  // namespace

Json checksums_of(const RunInputs& in) {
  Json checksums = Json::object();
  for_inputs(in, [&](const char* name, const fs::path& path) {
    if (!path.empty()) checksums[name] = sha256_of_file(path);
  });
  return checksums;
}

std::vector<std::string> find_files(RunInputs& in, RunOutputs& out, const Json& checksums,
                                    const fs::path& folder, std::string_view where) {
  std::vector<std::string> told;
  std::vector<Moved> all_moved;
  for_inputs(in, [&](const char* name, fs::path& path) {
    if (path.empty()) return;
    const std::string sha256 = checksums.at(name);
    if (is_the_file(path, sha256)) return;
    const auto moved = moved_along(
        path, folder, [&](const fs::path& other) { return is_the_file(other, sha256); });
    std::error_code error;
    if (!moved && !fs::is_regular_file(path, error))
      fail(ErrorCode::io,
           "{}: the {} '{}' is not there any more, nor around '{}'; put it back, or beside the "
           "run's folder",
           where, name, path.string(), folder.string());
    if (!moved)
      fail(ErrorCode::bad_input,
           "{}: the {} '{}' is not the one that the run began with; put that one back, or begin a "
           "new run",
           where, name, path.string());
    told.push_back(fmt::format("the {} '{}' is gone; '{}' is the same file, by its SHA-256", name,
                               path.string(), moved->now.string()));
    path = moved->now;
    all_moved.push_back(*moved);
  });
  move_outputs(out, all_moved, folder, told);
  return told;
}

Json file_facts(const fs::path& path) {
  return {{"file", path.string()}, {"sha256", sha256_of_file(path)}};
}

bool came_to_its_end(std::string_view manifest) {
  const Json json = Json::parse(manifest, nullptr, false);
  const Json result = json.is_object() ? json.value("result", Json::object()) : Json::object();
  if (!result.is_object()) return true;
  return result.value("stopped_by", Json()) != "cancelled" &&
         result.value("cancelled", Json()) != true;
}

std::string to_json(const RunRecord& record) {
  const auto& network = record.resolved.custom_network;
  const Json json = {
      {"format", kFormat},
      {"unmar", record.version},
      {"engine", {{"name", record.engine.name}, {"description", record.engine.description}}},
      {"started", record.started},
      {"request", request_to_json(record.request)},
      {"sha256", checksums_of(record.request.in)},
      {"resolved", to_json(option_table(), record.resolved)},
      {"network", network ? Json::parse(network_to_json(*network)) : Json(nullptr)},
  };
  return dumped(json, "`run`");
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
  } catch (const std::bad_alloc&) {
    throw;  // says nothing of the file
  } catch (const std::exception& error) {
    throw damaged(error.what());
  }
  record.moved = find_files(record.request.in, record.request.out, json.at("sha256"),
                            file.parent_path(), where);
  return record;
}

}  // namespace unmar::runs
