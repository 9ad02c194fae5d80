#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "unmar/runs/run.h"
#include "unmar/tasks/refine.h"

namespace unmar {

/// One picture to restore with an untrained network and a trained model.
struct RefineRequest {
  Task task = Task::denoise;
  RunInputs in = {};                 ///< picture, mask, reference, reading
  std::filesystem::path prior_file;  ///< a picture to start from instead of a fit; may be empty
  std::filesystem::path model;       ///< folder, as the library diffusers writes them
  std::string model_name;            ///< for manifests: as the user named it
  std::filesystem::path result, manifest, save_prior;  ///< to write; the last two may be empty
  WriteOptions writing = {};                           ///< of the result
  RefineOptions options = {};
};

struct RefineRunResult {
  Refined refined;
  Image input;
  double seconds = 0;   ///< with reading and writing
  std::string started;  ///< UTC, ISO 8601
};

class RefineObserver {
 public:
  virtual ~RefineObserver() = default;
  virtual void progressed(const FitProgress&) {}
  virtual void chain_started(const Refined&) {}
  virtual void stepped(const SampleProgress&) {}
  virtual void writing() {}
};

/// Reads, refines and writes. Everything that can be wrong with options and files is found first.
/// A requested stop is no failure: the best so far is written.
/// throws Error{bad_argument} for files that do not fit the task, and what reading, refine() and
/// writing throw.
RefineRunResult run(const RefineRequest& request, RefineObserver& observer,
                    std::stop_token stop = {});

std::string result_json(const RefineRequest& request, const RefineRunResult& result);

/// "auto" or a timestep. throws Error{bad_argument}.
std::optional<int> parse_start(std::string_view text);

const char* to_string(Consistency consistency);
/// throws Error{bad_argument} naming the known ones.
Consistency consistency_named(std::string_view name);

}  // namespace unmar
