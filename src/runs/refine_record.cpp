#include "runs/refine_record.h"

#include <fmt/format.h>

#include "base/fail.h"
#include "runs/json.h"
#include "runs/record.h"
#include "unmar/base/checksum.h"
#include "unmar/diffusion/weights.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kRefineFormat = 1;  ///< of refine.json

Json refinement_to_json(const RefineRequest& r) {
  const auto absolute = [](const fs::path& path) {
    return runs::path_to_json(path.empty() ? path : fs::absolute(path));
  };
  Json json = {{"task", to_string(r.task)}};
  json.update(
      runs::files_to_json(with_absolute_paths(r.in), with_absolute_paths(r.out), r.cadence));
  json["save_prior"] = absolute(r.save_prior);
  json["prior_file"] = absolute(r.prior_file);
  json["model"] = absolute(r.model);
  json["model_name"] = r.model_name;
  json["options"] = runs::to_json(option_table(), r.options.restore);
  json["chain"] = runs::to_json(refine_options(), r.options);
  return json;
}

RefineRequest refinement_of_json(const Json& json) {
  RefineRequest r;
  r.task = task_named(json.at("task").get<std::string>());
  runs::files_of_json(json, r.in, r.out, r.cadence);
  r.save_prior = runs::path_of_json(json.at("save_prior"));
  r.prior_file = runs::path_of_json(json.at("prior_file"));
  r.model = runs::path_of_json(json.at("model"));
  r.model_name = json.at("model_name").get<std::string>();
  r.options.restore = runs::options_of_json(json.at("options"), r.task);
  runs::from_json(json.at("chain"), refine_options(), r.options, "refine");
  return r;
}

/// Of the files that only refinements read.
Json own_checksums(const RefineRequest& r) {
  return {{"model", sha256_of_file(diffusers_files(r.model).weights)},
          {"prior_file", r.prior_file.empty() ? "" : sha256_of_file(r.prior_file)}};
}

}  // namespace

std::string to_json(const RefineRequest& request) {
  return runs::dumped(refinement_to_json(request), "request");
}

RefineRequest refine_request_from_json(std::string_view text, std::string_view where) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) fail(ErrorCode::bad_input, "{}: it is no JSON object", where);
  try {
    return refinement_of_json(json);
  } catch (const Json::exception& error) {
    fail(ErrorCode::bad_input, "{}: {}", where, error.what());
  }
}

namespace runs {

std::string to_json(const RefineRecord& record) {
  Json checksums = checksums_of(record.request.in);
  checksums.update(own_checksums(record.request));
  return dumped(Json{{"format", kRefineFormat},
                     {"unmar", record.version},
                     {"started", record.started},
                     {"request", refinement_to_json(record.request)},
                     {"sha256", checksums}},
                "`run`");
}

RefineRecord read_refine_record(const fs::path& file, std::string_view text,
                                std::string_view where) {
  const Json json = Json::parse(text, nullptr, false);
  RefineRecord record;
  Json checksums;
  try {
    if (!json.is_object()) fail(ErrorCode::bad_input, "it is no JSON object");
    if (json.at("format") != kRefineFormat)
      fail(ErrorCode::unsupported, "it is of format {}, this version reads {}",
           json.at("format").dump(), kRefineFormat);
    record.request = refinement_of_json(json.at("request"));
    record.started = json.at("started").get<std::string>();
    record.version = json.at("unmar").get<std::string>();
    checksums = json.at("sha256");
    for_inputs(record.request.in, [&](const char* name, const fs::path& path) {
      if (!path.empty()) checksums.at(name).get<std::string>();
    });
    checksums.at("model").get<std::string>();
  } catch (const std::exception& error) {
    fail(ErrorCode::bad_input, "{}: '{}' is damaged: {}", where, file.string(), error.what());
  }
  record.moved =
      find_files(record.request.in, record.request.out, checksums, file.parent_path(), where);
  const Json now = own_checksums(record.request);
  for (const auto& [name, sha256] : now.items())
    if (checksums.value(name, "") != sha256)
      fail(ErrorCode::bad_input,
           "{}: the {} is not the one that the refinement began with; put that one back, or begin "
           "anew",
           where, name == "model" ? "model" : "file of the prior");
  return record;
}

}  // namespace runs
}  // namespace unmar
