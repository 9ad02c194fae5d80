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
  std::filesystem::path history, manifest, snapshots;
  int every = 100;  ///< iterations between snapshots
  bool quiet = false, json = false;
  PictureArguments pictures;
  RestoreOptions options;
};

/// Reads, restores, writes and reports. Returns the exit code; Ctrl-C during the fit is no failure.
int run_restore(const RestoreArguments& arguments);

}  // namespace unmar::cli
