#pragma once

#include <unmar/refine.h>

#include <filesystem>
#include <string>
#include <vector>

#include "option_flags.h"
#include "pictures.h"

namespace unmar::cli {

/// What the command line of refine says. Empty paths: not asked for.
struct RefineArguments {
  std::string task, model;
  std::filesystem::path input, output, mask, reference, prior_file, save_prior, manifest;
  std::string prior = "dip", start = "auto", consistency;
  bool quiet = false, json = false;
  PictureArguments pictures;
  RefineOptions options;
  std::vector<GivenOption> given;  ///< of the option table
};

/// Reads, refines, writes and reports. Returns the exit code; Ctrl-C is no failure.
int run_refine(const RefineArguments& arguments);

}  // namespace unmar::cli
