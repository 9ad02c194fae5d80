#pragma once

#include <filesystem>

#include "unmar/runs/request.h"
#include "unmar/runs/store.h"

namespace unmar {

/// Whether `path` is one of the pictures that a run reads, by whatever name.
bool is_input(const RunInputs& in, const std::filesystem::path& path);

/// A long fit must not end in "cannot write". Makes the folder of snapshots. throws Error for an
/// output that cannot be written, that would replace what the run has to read again, or that shows
/// a fit where there is none.
void check_outputs(const FitRequest& request, const RestoreOptions& resolved, const RunStore* store,
                   bool resumed);

}  // namespace unmar
