#pragma once

#include <stop_token>

#include "unmar/runs/run.h"

namespace unmar::runs {

/// The tiles that the picture of a request is restored in; 1: it is restored as a whole. Reads the
/// head of its file. throws as reading it, and for options that are wrong.
int tile_count(const FitRequest& request);

/// run() for a picture in tiles. record: what it was begun with, if it is resumed, else null.
RunResult run_tiled(const FitRequest& request, RunStore* store, const RunRecord* record,
                    RunObserver& observer, const std::stop_token& stop);

}  // namespace unmar::runs
