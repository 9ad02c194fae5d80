#pragma once

#include <string>

#include "restore_run.h"

namespace unmar::cli {

/// Everything there is to tell of a run that went well.
struct Report {
  const RestoreArguments& arguments;
  const Restored& restored;
  const Image& input;
  double total_seconds = 0;  ///< with reading and writing
  std::string started;       ///< UTC, ISO 8601
};

/// One line for programs: --json.
std::string result_json(const Report& report);
/// All that is needed to repeat and to judge the run: --manifest.
std::string manifest_json(const Report& report);
/// One row per iteration: --history.
std::string history_csv(const FitResult& fit);
/// A sentence for people.
std::string summary(const Report& report);

double peak_memory_mib();  ///< of this process so far
std::string now_utc();     ///< "2026-01-31T12:00:00Z"

}  // namespace unmar::cli
