#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "unmar/runs/run.h"
#include "unmar/runs/tile_store.h"

/// Many pictures, restored by any number of processes and machines that share a folder.
namespace unmar {

/// A picture, or one page of a file, of a job list.
struct ListedPicture {
  FitRequest request;  ///< paths absolute
  std::string sha256;  ///< of its inputs, as JSON
  int tiles = 1;       ///< 1: it is restored as a whole
};

/// A job list: a file that says what is to be done, and beside it the folder FILE.work, where each
/// picture has a TileStore of its own. Pictures of one result are its pages.
struct JobList {
  std::filesystem::path file;
  std::vector<ListedPicture> pictures;

  std::int64_t tiles() const;  ///< of all pictures
  std::filesystem::path folder() const { return file.string() + ".work"; }
  /// Of the picture's tiles. Behind its end stands the file "joined".
  std::filesystem::path folder(std::size_t picture) const;
  bool is_joined(std::size_t picture) const;
};

/// Writes the list. Inputs are looked at, nothing is restored. throws Error{bad_argument} if the
/// file is there, for options that are wrong and outputs that tell of one fit, and what reading the
/// inputs throws.
JobList plan_jobs(const std::filesystem::path& file, const std::vector<FitRequest>& requests);
/// throws Error{io} and Error{bad_input} for a file that is no job list, Error{unsupported} if
/// another version of Unmar wrote it: results would differ.
JobList read_jobs(const std::filesystem::path& file);

/// Part `part`, from 1, of `of` equal parts of all tiles.
struct Share {
  int part = 1, of = 1;
};

struct JobProgress {
  std::int64_t done, all;  ///< tiles of the whole list, by whomever, as far as is known here
  std::int64_t done_here;
  double seconds;  ///< since this began
};

class JobObserver {
 public:
  virtual ~JobObserver() = default;
  virtual void progressed(const JobProgress&) {}
  virtual void warned(const std::string&) {}
  virtual void joined(const FitRequest&) {}  ///< its result was written
};

struct WorkResult {
  std::int64_t done_here = 0;
  std::int64_t left = 0;    ///< tiles of the list that nobody has done yet
  std::int64_t failed = 0;  ///< pictures whose tiles could not all be done here
};

/// Does a share of the tiles, then those of others that nobody is at, also those of a process that
/// is gone. May be called again, by any number of processes at once: what is done stays done.
/// threads: 0: as many as the machine has.
WorkResult work_on(const JobList& list, const Share& share, int threads, JobObserver& observer,
                   std::stop_token stop = {});

struct JoinResult {
  std::int64_t written = 0;  ///< results, earlier ones included
  std::int64_t missing = 0;  ///< tiles
  std::int64_t failed = 0;   ///< results that could not be written
};
/// Writes the results whose tiles are all done, and removes those. throws Error{io} if another join
/// is at work.
JoinResult join_jobs(const JobList& list, JobObserver& observer);

/// See TileEstimate. throws as run() for files and options.
TileEstimate estimate_tile(const FitRequest& request);

/// Shell commands that hand a list to Slurm: an array of `tasks` jobs, and a join behind it.
/// cores: of each job. options: of sbatch.
std::string slurm_script(const JobList& list, int tasks, int cores, const TileEstimate& estimate,
                         const std::vector<std::string>& options,
                         const std::filesystem::path& program);

}  // namespace unmar
