#pragma once

#include <string>

#include "restore_run.h"

namespace unmar::cli {

/// What a run was asked to do: run.json in its folder. It is all that resuming and picking need to
/// know beside the pictures themselves.
struct RunRecord {
  RestoreArguments arguments;  ///< its paths are relative to `folder`
  RestoreOptions resolved;     ///< all options, presets included
  EngineInfo engine;
  std::filesystem::path folder;  ///< where it was begun
  std::string started;           ///< UTC, ISO 8601
  std::string version;           ///< of Unmar
};

/// With the checksums of the pictures that the run reads.
std::string to_json(const RunRecord& record);

/// Reads it and enters `folder`, so that the paths mean what they meant. `option` opens the errors.
/// throws Error{bad_input} if it is damaged, or a picture is not the one that the run began with.
RunRecord read_run_record(const std::filesystem::path& file, const std::string& option);

/// throws Error{bad_input} if no task is called so.
Task task_of(const std::string& name);

/// One JSON object of all options that are set, for manifest and record.
std::string options_json(const RestoreOptions& options);

}  // namespace unmar::cli
