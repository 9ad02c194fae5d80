#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "unmar/image/image.h"
#include "unmar/tasks/options.h"

/// What a run is asked to do, as values that can be kept, sent and repeated.
namespace unmar {

/// The files that a run reads. Empty: there is none.
struct RunInputs {
  std::filesystem::path picture;    ///< the damaged one
  std::filesystem::path mask;       ///< inpaint; empty: transparent and NaN pixels are filled
  std::filesystem::path guide;      ///< for RestoreOptions::input guide
  std::filesystem::path blur;       ///< deblur: a picture of the kernel, instead of the option
  std::filesystem::path reference;  ///< the clean picture: adds PSNR and SSIM
  std::filesystem::path network;    ///< a network as JSON, instead of the options for it
  /// RestoreOptions::prior gan: the weights of a model, gan_files(), its config beside them.
  std::filesystem::path model;
  /// Of the picture; its range serves `reference`, too. `max_missing` is the run's own.
  ReadOptions reading = {};
};

/// The files that a run writes. Empty: it does not.
struct RunOutputs {
  std::filesystem::path result;    ///< empty for a page whose file is written later
  WriteOptions writing = {};       ///< of the result; `format` is not kept
  std::filesystem::path history;   ///< CSV, a row per iteration
  std::filesystem::path manifest;  ///< JSON, all that is needed to repeat the run
  std::filesystem::path report;    ///< a page that shows the run
  /// The result as it develops: an animation (.gif, .webp), a strip (any other picture type), or a
  /// folder of pictures.
  std::filesystem::path snapshots;
  std::filesystem::path preview;  ///< a small picture that grows, of one that is restored in tiles
};

/// How often a run writes on its way.
struct Cadence {
  int snapshot_every = 100;  ///< iterations
  double checkpoint_seconds = 60;
  int keep_every = 0;  ///< iterations between the pictures kept in the store; 0: some 40 in all
};

/// One picture to restore.
struct FitRequest {
  Task task = Task::denoise;
  RunInputs in = {};
  RunOutputs out = {};
  RestoreOptions options = {};
  Cadence cadence = {};
};

/// One object, paths absolute. throws Error{bad_argument} if a path is not UTF-8, which JSON has to
/// be.
std::string to_json(const FitRequest& request);
/// throws Error{bad_input}, opened by `where`, for what is no request, and Error{bad_argument} for
/// options that do not exist or are out of range.
FitRequest fit_request_from_json(std::string_view json, std::string_view where);

/// A JSON schema of the options of a command, "denoise" or "ddpm train" say, by the names that
/// requests have them. throws Error{bad_argument} for a command without one. See options_schema().
std::string command_schema(std::string_view command);

/// The command that does the same.
std::string command_line(const FitRequest& request);

}  // namespace unmar
