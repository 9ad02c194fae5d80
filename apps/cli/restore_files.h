#pragma once

#include <unmar/runs/request.h>
#include <unmar/runs/store.h>

#include <filesystem>
#include <string>
#include <vector>

#include "fit_console.h"

namespace unmar::cli {

/// What is to be restored: a file or several, each with its pages.
struct RestoreFiles {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path
      output;  ///< a file; a folder if it is one without extension, ends in '/' or for several
  std::string page;  ///< N, FIRST..LAST or all; empty: the only one

  bool into_folder() const;
};

/// A request for each input: `common` with its picture and result. Makes the folder.
/// throws Error{bad_argument} for results of the same name, results that would replace an input,
/// and outputs of `common` that only one picture can have, and Error{io} for the folder.
std::vector<FitRequest> requests_for(const RestoreFiles& files, const FitRequest& common,
                                     bool has_store);

/// Restores all of them, one after the other; one that fails does not keep the others from it.
/// Returns the exit code: 1 if any failed or was not begun.
int restore_all(const std::vector<FitRequest>& requests, const std::string& page, bool quiet,
                FitConsole& console);

/// Restores one, or its pages. store: null: nothing is kept. Returns the exit code; throws Error.
int restore_one(FitRequest request, const std::string& page, RunStore* store, bool quiet,
                FitConsole& console);

/// Writes a job list of all of them and their pages. Returns the exit code; throws Error.
int plan_files(const std::filesystem::path& list, const std::vector<FitRequest>& requests,
               const std::string& page, bool quiet);

}  // namespace unmar::cli
