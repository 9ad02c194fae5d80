#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

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
  RunOutputs out = {};               ///< result, manifest and preview
  std::filesystem::path save_prior;  ///< where to write what the chain starts from; may be empty
  RefineOptions options = {};
  Cadence cadence = {};  ///< of the checkpoints
};
/// One object, paths absolute. throws as those of FitRequest.
std::string to_json(const RefineRequest& request);
RefineRequest refine_request_from_json(std::string_view json, std::string_view where);

/// Whether a network is fitted for it: it starts neither from a file nor without a prior.
bool has_fit(const RefineRequest& request);
/// Its fits alone: the same picture, options, result and preview.
FitRequest fit_request_of(const RefineRequest& request);

struct RefineRunResult {
  Refined refined;  ///< in tiles: options, values, PSNR and SSIM
  Image input;
  double seconds = 0;   ///< with reading and writing
  std::string started;  ///< UTC, ISO 8601
  /// In tiles: their fits and chains; the result is in its file.
  std::optional<RunResult> tiled = {};
};

class RefineObserver {
 public:
  virtual ~RefineObserver() = default;
  /// has_checkpoint: there is one to go on from. Comes before all else.
  virtual void started(const RefineRequest&, bool /*has_checkpoint*/) {}
  virtual void progressed(const FitProgress&) {}
  virtual void chain_started(const Refined&) {}
  virtual void stepped(const SampleProgress&) {}
  /// Of a picture in tiles, in place of the three above: as RunObserver::started() and tiled().
  virtual void tiles_started(const RefineRequest&, const RunStart&) {}
  virtual void tiled(const TileProgress&) {}
  /// Something failed that does not cost the result, such as a manifest on a full disk.
  virtual void warned(const std::string&) {}
  virtual void writing() {}
  virtual void finished(const RefineRequest&, const RefineRunResult&) {}
};

/// Where a refinement is kept:
///   refine.json      the request, with the SHA-256 of every file that is read
///   checkpoint.bin   the fit of the prior so far; gone once the refinement is finished
///   tiles/           of a picture in tiles, in place of the checkpoint: those that are done; stays
///   manifest.json    at the end
struct RefineFolder {
  std::filesystem::path path;

  std::filesystem::path record() const { return path / "refine.json"; }
  std::filesystem::path checkpoint() const { return path / "checkpoint.bin"; }
  std::filesystem::path tiles() const { return path / "tiles"; }
  std::filesystem::path manifest() const { return path / "manifest.json"; }
};

/// Reads, refines and writes. Everything that can be wrong with options and files is found first.
/// A requested stop is no failure: the best so far is written. folder: where it is kept, so that it
/// can be resumed; empty: nowhere.
/// throws Error{bad_argument} for files that do not fit the task, and what reading, refine() and
/// writing throw.
RefineRunResult run(const RefineRequest& request, const std::filesystem::path& folder,
                    RefineObserver& observer, std::stop_token stop = {});
/// Goes on with a refinement that was interrupted: the result is the same, bit for bit, on the same
/// engine. The fit goes on from its checkpoint; the chain, which takes seconds to minutes, begins
/// anew. Of tiles those that are done are taken.
RefineRunResult resume_refine(const std::filesystem::path& folder, const ResumeChanges& changes,
                              RefineObserver& observer, std::stop_token stop = {});

/// Of a picture in tiles, or of one piece. See TileEstimate.
TileEstimate estimate_tile(const RefineRequest& request);

std::string result_json(const RefineRequest& request, const RefineRunResult& result);

}  // namespace unmar
