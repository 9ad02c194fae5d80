#pragma once

#include <unmar/tasks.h>

#include <filesystem>
#include <string>

#include "pictures.h"

namespace unmar::cli {

/// What the command line of denoise, inpaint or upscale says. Empty paths: not asked for.
struct RestoreArguments {
  Task task = Task::denoise;
  std::filesystem::path input, output, mask, guide, reference;
  std::filesystem::path network_file;
  std::filesystem::path history, manifest, snapshots, report;
  int every = 100;               ///< iterations between snapshots
  std::filesystem::path run;     ///< the run folder: see RunFolder
  double checkpoint_every = 60;  ///< seconds
  int keep_every = 0;  ///< iterations between the pictures kept there; 0: see kept_every()
  bool quiet = false, json = false;
  PictureArguments pictures;
  RestoreOptions options;
};

/// The same with the number that 0 stands for: some 40 pictures are kept.
int kept_every(const RestoreArguments& arguments, int iterations);

/// Reads, restores, writes and reports. Returns the exit code; Ctrl-C during the fit is no failure.
int run_restore(const RestoreArguments& arguments);

struct RunRecord;
/// Goes on with a run that was interrupted, in its folder `arguments.run`, which the caller has
/// locked. arguments: those of the record, as far as they may differ: threads, quiet and json.
int resume_run(const RestoreArguments& arguments, const RunRecord& record);

}  // namespace unmar::cli
