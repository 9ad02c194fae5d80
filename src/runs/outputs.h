#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "runs/beside.h"
#include "unmar/runs/run.h"

namespace unmar {

/// Whether `path` is one of the pictures that a run reads, by whatever name.
bool is_input(const RunInputs& in, const std::filesystem::path& path);

/// A long fit must not end in "cannot write". Makes the folder of snapshots. throws Error for an
/// output that cannot be written, that would replace what the run has to read again, or that shows
/// a fit where there is none.
void check_outputs(const FitRequest& request, const RestoreOptions& resolved, const RunStore* store,
                   bool resumed);

struct RunDocuments {
  std::string manifest, report;  ///< empty: not wanted, or it failed
};
/// Makes the documents of a run that has its result, and writes those that the request names.
/// report_of: from the manifest; null: no report is wanted.
RunDocuments write_documents(
    const FitRequest& told, const RunResult& result, runs::Beside& beside,
    const std::function<std::string(const std::string& manifest)>& report_of);

}  // namespace unmar
