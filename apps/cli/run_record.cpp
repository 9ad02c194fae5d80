#include "run_record.h"

#include <fmt/format.h>
#include <unmar/checksum.h>
#include <unmar/error.h>
#include <unmar/version.h>

#include <nlohmann/json.hpp>

#include "manifest.h"
#include "output_file.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;  ///< of run.json and of the checkpoint

/// The paths of a run, each once: what it reads and what it writes.
template <class Arguments, class Visit>
void for_inputs(Arguments& a, Visit visit) {
  visit("input", a.input);
  visit("mask", a.mask);
  visit("guide", a.guide);
  visit("reference", a.reference);
}
template <class Arguments, class Visit>
void for_outputs(Arguments& a, Visit visit) {
  visit("output", a.output);
  visit("history", a.history);
  visit("manifest", a.manifest);
  visit("snapshots", a.snapshots);
  visit("report", a.report);
}

OptionValue value_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  return json.get<std::string>();
}

RestoreOptions options_of(const Json& json, Task task) {
  RestoreOptions options;
  for (const auto& [name, value] : json.items())
    set_option(options, task, option_spec(name), value_of(value));
  return options;
}

RunRecord record_of(const Json& json) {
  RunRecord record;
  RestoreArguments& a = record.arguments;
  a.task = task_of(json.at("task"));
  for_inputs(a, [&](const char* name, fs::path& path) {
    if (const Json& file = json.at("reads").at(name); !file.is_null())
      path = file.at("file").get<std::string>();
  });
  for_outputs(a, [&](const char* name, fs::path& path) {
    path = json.at("writes").at(name).get<std::string>();
  });
  a.network_file = json.at("network_file").get<std::string>();
  a.every = json.at("every");
  a.checkpoint_every = json.at("checkpoint_every");
  a.keep_every = json.at("keep_every");
  a.pictures.max_megapixels = json.at("max_pixels");
  a.pictures.range = json.at("range");
  a.options = options_of(json.at("given"), a.task);
  record.resolved = options_of(json.at("options"), a.task);
  if (const Json& network = json.at("network"); !network.is_null())
    a.options.custom_network = record.resolved.custom_network =
        network_from_json(network.dump(), "its network");
  record.engine = {json.at("engine").at("name"), json.at("engine").at("description")};
  record.folder = json.at("folder").get<std::string>();
  record.started = json.at("started");
  record.version = json.at("unmar");
  return record;
}

void require_same_pictures(const Json& json, const std::string& option) {
  for (const auto& [name, file] : json.at("reads").items()) {
    if (file.is_null()) continue;
    const fs::path path = file.at("file").get<std::string>();
    std::error_code error;
    if (!fs::is_regular_file(path, error))
      throw Error(ErrorCode::io,
                  fmt::format("{}: the {} '{}' is not in '{}' any more; put it back", option, name,
                              path.string(), fs::current_path().string()));
    if (sha256_of_file(path) != file.at("sha256").get<std::string>())
      throw Error(ErrorCode::bad_input,
                  fmt::format("{}: the {} '{}' is not the one that the run began with; put that "
                              "one back, or begin a new run",
                              option, name, path.string()));
  }
}

}  // namespace

Task task_of(const std::string& name) {
  for (const Task task : {Task::denoise, Task::inpaint, Task::upscale})
    if (name == to_string(task)) return task;
  throw Error(ErrorCode::bad_input, fmt::format("'{}' is no task", name));
}

std::string options_json(const RestoreOptions& options) {
  Json object = Json::object();
  for (const OptionSpec& spec : option_table()) {
    const auto value = spec.get(options);
    if (!value) continue;
    std::visit([&](const auto& v) { object[spec.name] = v; }, *value);
  }
  return object.dump();
}

std::string to_json(const RunRecord& record) {
  const RestoreArguments& a = record.arguments;
  Json reads, writes;
  for_inputs(a, [&](const char* name, const fs::path& path) {
    reads[name] = nullptr;
    if (!path.empty()) reads[name] = file_facts(path);
  });
  for_outputs(a, [&](const char* name, const fs::path& path) { writes[name] = path.string(); });
  const auto& network = record.resolved.custom_network;
  const Json json = {
      {"format", kFormat},
      {"unmar", record.version},
      {"engine", {{"name", record.engine.name}, {"description", record.engine.description}}},
      {"started", record.started},
      {"folder", record.folder.string()},
      {"task", to_string(a.task)},
      {"reads", reads},
      {"writes", writes},
      {"network_file", a.network_file.string()},
      {"every", a.every},
      {"checkpoint_every", a.checkpoint_every},
      {"keep_every", a.keep_every},
      {"max_pixels", a.pictures.max_megapixels},
      {"range", a.pictures.range},
      {"given", Json::parse(options_json(a.options))},
      {"options", Json::parse(options_json(record.resolved))},
      {"network", network ? Json::parse(network_to_json(*network)) : Json(nullptr)},
  };
  // A file's name need not be UTF-8, but JSON is; such a name could not be found again.
  try {
    return json.dump(2) + "\n";
  } catch (const Json::type_error&) {
    throw Error(ErrorCode::bad_argument,
                "--run: a file's name is not UTF-8, so run.json cannot hold it; rename the file");
  }
}

RunRecord read_run_record(const fs::path& file, const std::string& option) {
  const std::string text = read_text(file, option);
  const auto damaged = [&](const std::string& why) {
    return Error(ErrorCode::bad_input,
                 fmt::format("{}: '{}' is damaged: {}", option, file.string(), why));
  };
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) throw damaged("it is no JSON object");
  RunRecord record;
  try {
    if (json.at("format") != kFormat)
      throw Error(ErrorCode::unsupported, fmt::format("it is of format {}, this version reads {}",
                                                      json.at("format").dump(), kFormat));
    record = record_of(json);
  } catch (const std::exception& error) {
    throw damaged(error.what());
  }
  std::error_code error;
  fs::current_path(record.folder, error);
  if (error)
    throw Error(ErrorCode::io, fmt::format("{}: the run was begun in '{}', which cannot be "
                                           "entered ({}); its pictures are looked for there",
                                           option, record.folder.string(), error.message()));
  try {
    require_same_pictures(json, option);
  } catch (const Json::exception& wrong) {
    throw damaged(wrong.what());
  }
  return record;
}

}  // namespace unmar::cli
