#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "unmar/runs/store.h"

namespace unmar::runs {

/// run.json, with the SHA-256 of every file that the run reads. throws Error{io} if one cannot be
/// read.
std::string to_json(const RunRecord& record);
/// throws Error{bad_input} if `text`, of `file`, is damaged or a file is not the one that the run
/// began with, Error{io} if one is gone.
RunRecord read_record(const std::filesystem::path& file, std::string_view text,
                      std::string_view where);

/// The SHA-256 of every file, by its name in JSON.
nlohmann::ordered_json checksums_of(const RunInputs& in);
/// Inputs that are gone, or are others now, are looked for around the run's folder, and outputs go
/// with them. Returns what there is to say of that. throws as read_record().
std::vector<std::string> find_files(RunInputs& in, RunOutputs& out,
                                    const nlohmann::ordered_json& checksums,
                                    const std::filesystem::path& folder, std::string_view where);

/// What a manifest says of how the run ended.
bool came_to_its_end(std::string_view manifest);

/// Name and SHA-256 of a file.
nlohmann::ordered_json file_facts(const std::filesystem::path& path);

}  // namespace unmar::runs
