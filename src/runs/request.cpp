#include "unmar/runs/request.h"

#include <fmt/format.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/fail.h"
#include "runs/json.h"
#include "runs/quoted.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
}  // namespace

namespace runs {

Json path_to_json(const fs::path& path) {
  return path.empty() ? Json(nullptr) : Json(path.string());
}

fs::path path_of_json(const Json& json) {
  return json.is_null() ? fs::path() : fs::path(json.get<std::string>());
}

Json files_to_json(const RunInputs& in, const RunOutputs& out, const Cadence& cadence) {
  Json json = {{"reads", Json::object()}};
  for_inputs(in, [&](const char* name, const fs::path& path) {
    json["reads"][name] = path_to_json(path);
  });
  json["max_megapixels"] =
      in.reading.max_megapixels ? Json(*in.reading.max_megapixels) : Json(nullptr);
  json["range"] = range_in_words(in.reading);
  json["outliers"] = to_string(in.reading.outliers);
  json["page"] = in.reading.page;
  json["region"] = in.reading.region ? Json(to_string(*in.reading.region)) : Json(nullptr);
  json["quality"] = out.writing.quality;
  json["strip"] = out.writing.strip;
  for_outputs(out, [&](const char* name, const fs::path& path) {
    json["writes"][name] = path_to_json(path);
  });
  json["cadence"] = {{"snapshot_every", cadence.snapshot_every},
                     {"checkpoint_seconds", cadence.checkpoint_seconds},
                     {"keep_every", cadence.keep_every}};
  return json;
}

Json request_to_json(const FitRequest& given) {
  const FitRequest request = with_absolute_paths(given);
  Json json = {{"task", to_string(request.task)}};
  json.update(files_to_json(request.in, request.out, request.cadence));
  json["options"] = to_json(option_table(), request.options);
  const auto& network = request.options.custom_network;
  json["network"] = network ? Json::parse(network_to_json(*network)) : Json(nullptr);
  return json;
}

namespace {

/// The library would make an int of any number, whatever it holds.
int whole(const Json& json, const char* key, std::optional<int> otherwise = {}) {
  if (otherwise && !json.contains(key)) return *otherwise;
  const Json& value = json.at(key);
  if (!value.is_number_integer() || value.get<std::int64_t>() > std::numeric_limits<int>::max() ||
      value.get<std::int64_t>() < 0)
    fail(ErrorCode::bad_input, "{} must be a whole number, got {}", key, value.dump());
  return value.get<int>();
}

}  // namespace

void files_of_json(const Json& json, RunInputs& in, RunOutputs& out, Cadence& cadence) {
  for_inputs(in, [&](const char* name, fs::path& path) {
    path = path_of_json(json.at("reads").value(name, Json()));
  });
  if (const Json& limit = json.at("max_megapixels"); !limit.is_null())
    in.reading.max_megapixels = limit.get<double>();
  parse_range(json.at("range").get<std::string>(), in.reading);
  in.reading.outliers = outliers_named(json.value("outliers", "auto"));
  in.reading.page = whole(json, "page", 1);
  if (json.contains("region") && !json["region"].is_null())
    in.reading.region = region_of(json["region"].get<std::string>());
  out.writing.quality = whole(json, "quality", WriteOptions{}.quality);
  out.writing.strip = json.value("strip", false);
  for_outputs(out, [&](const char* name, fs::path& path) {
    path = path_of_json(json.at("writes").value(name, Json()));
  });
  const Json& every = json.at("cadence");
  cadence = {whole(every, "snapshot_every"), every.at("checkpoint_seconds"),
             whole(every, "keep_every")};
}

FitRequest request_of_json(const Json& json) {
  FitRequest request;
  request.task = task_named(json.at("task").get<std::string>());
  files_of_json(json, request.in, request.out, request.cadence);
  request.options = options_of_json(json.at("options"), request.task);
  if (const Json& network = json.at("network"); !network.is_null())
    request.options.custom_network = network_from_json(network.dump(), "its network");
  return request;
}

OptionValue option_value(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number()) return value.get<double>();
  return value.get<std::string>();
}

RestoreOptions options_of_json(const Json& json, Task task) {
  RestoreOptions options;
  for (const auto& [name, value] : json.items())
    set_option(options, task, option_spec(name), option_value(value));
  return options;
}

std::string dumped(const Json& json, std::string_view where) {
  try {
    return json.dump(2) + "\n";
  } catch (const Json::type_error&) {
    fail(ErrorCode::bad_argument,
         "{}: a file's name is not UTF-8, which JSON cannot hold; rename the file", where);
  }
}

}  // namespace runs

namespace {

void make_absolute(const char*, fs::path& path) {
  if (!path.empty()) path = fs::absolute(path);
}

}  // namespace

RunInputs with_absolute_paths(RunInputs in) {
  runs::for_inputs(in, make_absolute);
  return in;
}
RunOutputs with_absolute_paths(RunOutputs out) {
  runs::for_outputs(out, make_absolute);
  return out;
}
FitRequest with_absolute_paths(FitRequest request) {
  request.in = with_absolute_paths(std::move(request.in));
  request.out = with_absolute_paths(std::move(request.out));
  return request;
}

std::string to_json(const FitRequest& request) {
  return runs::dumped(runs::request_to_json(request), "request");
}

FitRequest fit_request_from_json(std::string_view text, std::string_view where) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) fail(ErrorCode::bad_input, "{}: it is no JSON object", where);
  try {
    return runs::request_of_json(json);
  } catch (const Json::exception& error) {
    fail(ErrorCode::bad_input, "{}: {}", where, error.what());
  }
}

std::string command_line(const FitRequest& request) {
  const RunInputs& in = request.in;
  using runs::quoted;
  std::string line = fmt::format("unmar {} {}", to_string(request.task), quoted(in.picture));
  const auto file = [&](const char* option, const fs::path& path) {
    if (!path.empty()) line += fmt::format(" {} {}", option, quoted(path));
  };
  file("--mask", in.mask);
  file("--guide", in.guide);
  file("--blur", in.blur);
  file("--network-file", in.network);
  file("--model", in.model.parent_path());
  file("-o", request.out.result);
  for (const OptionSpec& spec : option_table()) {
    const auto value = spec.get(request.options);
    if (!value) continue;
    if (const auto* on = std::get_if<bool>(&*value))
      line += fmt::format(" --{}{}", *on ? "" : "no-", spec.name);
    else if (const auto* real = std::get_if<double>(&*value))
      line += fmt::format(" --{} {}", spec.name, *real);  // all digits
    else
      line += fmt::format(" --{} {}", spec.name, quoted(to_text(*value)));
  }
  if (!request.options.seed) line += " --seed 0";
  if (const std::string range = range_in_words(in.reading); range != "auto")
    line += fmt::format(" --range {}", range);
  if (in.reading.outliers != Outliers::automatic)
    line += fmt::format(" --outliers {}", to_string(in.reading.outliers));
  if (in.reading.page != 1) line += fmt::format(" --page {}", in.reading.page);
  if (in.reading.region) line += fmt::format(" --region {}", to_string(*in.reading.region));
  const WriteOptions& writing = request.out.writing;
  if (writing.quality != WriteOptions{}.quality)
    line += fmt::format(" --quality {}", writing.quality);
  if (writing.strip) line += " --strip";
  if (in.reading.max_megapixels)
    line += fmt::format(" --max-pixels {}", *in.reading.max_megapixels);
  file("--reference", in.reference);
  return line;
}

}  // namespace unmar
