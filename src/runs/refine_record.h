#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/runs/refine_run.h"

namespace unmar::runs {

/// What a refinement was begun with: refine.json.
struct RefineRecord {
  RefineRequest request = {};
  std::string started = {};  ///< UTC, ISO 8601
  std::string version = {};  ///< of Unmar
  /// What stood elsewhere when it began, in words. Not kept.
  std::vector<std::string> moved = {};
};

/// With the SHA-256 of every file that is read. throws Error{io} if one cannot be read.
std::string to_json(const RefineRecord& record);
/// throws Error{bad_input} if `text`, of `file`, is damaged or a file is not the one that the
/// refinement began with, Error{io} if one is gone.
RefineRecord read_refine_record(const std::filesystem::path& file, std::string_view text,
                                std::string_view where);

}  // namespace unmar::runs
