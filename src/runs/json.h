#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "unmar/runs/request.h"

/// JSON of what runs keep. The public functions give it as text.
namespace unmar::runs {

/// What requests of all kinds have: reads, writes, cadence, how pictures are read.
nlohmann::ordered_json files_to_json(const RunInputs& in, const RunOutputs& out,
                                     const Cadence& cadence);
void files_of_json(const nlohmann::ordered_json& json, RunInputs& in, RunOutputs& out,
                   Cadence& cadence);
nlohmann::ordered_json path_to_json(const std::filesystem::path& path);  ///< null: empty
std::filesystem::path path_of_json(const nlohmann::ordered_json& json);

/// With absolute paths.
nlohmann::ordered_json request_to_json(const FitRequest& request);
/// throws a JSON exception for what is missing or of another type, and Error.
FitRequest request_of_json(const nlohmann::ordered_json& json);

/// Options that are set, by their names.
template <class Row, class O>
nlohmann::ordered_json to_json(const std::vector<Row>& table, const O& options) {
  auto object = nlohmann::ordered_json::object();
  for (const Row& row : table)
    if (const auto value = row.get(options))
      std::visit([&, name = row.name](const auto& v) { object[name] = v; }, *value);
  return object;
}
OptionValue option_value(const nlohmann::ordered_json& json);
/// Sets those that `json` has. throws Error, opened by `where`, for what is no option or no value.
template <class Row, class O>
void from_json(const nlohmann::ordered_json& json, const std::vector<Row>& table, O& options,
               std::string_view where) {
  for (const auto& [name, value] : json.items()) {
    const Row& row = find_option(table, name, where);
    row.put(options, checked_value(row, option_value(value), where));
  }
}

RestoreOptions options_of_json(const nlohmann::ordered_json& json, Task task);

/// Indented text. throws Error{bad_argument} if a text in it is not UTF-8.
std::string dumped(const nlohmann::ordered_json& json, std::string_view where);

/// Every file that a run reads or writes, by its name in JSON.
template <class Inputs, class Visit>
void for_inputs(Inputs& in, Visit visit) {
  visit("input", in.picture);
  visit("mask", in.mask);
  visit("guide", in.guide);
  visit("blur", in.blur);
  visit("reference", in.reference);
  visit("network", in.network);
  visit("model", in.model);
}
template <class Outputs, class Visit>
void for_outputs(Outputs& out, Visit visit) {
  visit("output", out.result);
  visit("history", out.history);
  visit("manifest", out.manifest);
  visit("snapshots", out.snapshots);
  visit("report", out.report);
  visit("preview", out.preview);
}

}  // namespace unmar::runs

namespace unmar {

/// Absolute, with symbolic links left as they are; empty ones stay empty.
RunInputs with_absolute_paths(RunInputs in);
RunOutputs with_absolute_paths(RunOutputs out);
FitRequest with_absolute_paths(FitRequest request);

}  // namespace unmar
