#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "unmar/runs/run.h"

/// Several runs in one process.
namespace unmar {

enum class JobState { queued, running, paused, done, failed, cancelled };
const char* to_string(JobState state);

/// A job as it stands.
struct JobInfo {
  std::uint64_t id = 0;  ///< from 1, in the order of submission
  JobState state = JobState::queued;
  FitRequest request = {};
  std::filesystem::path folder = {};  ///< of its store; empty: it has none
  int threads = 0;                    ///< it takes of the queue's
  std::size_t memory = 0;             ///< bytes it takes of the queue's
  int iteration = 0, iterations = 0;  ///< done, and at most to do; tiles, of a picture in tiles
  double seconds = 0;
  std::optional<double> psnr = {};  ///< of the result so far, with a reference
  std::string error = {};           ///< of a failed job
};

/// What all running jobs may take together.
struct QueueLimits {
  int threads = 0;         ///< 0: as many as the machine has
  std::size_t memory = 0;  ///< bytes; 0: what is available when the queue is made
};

/// Runs jobs in the order of their submission, as many at a time as the limits allow; the next one
/// waits for room even if a later one would fit. The functions may be called from any thread;
/// observers are called on the thread of their job. Unknown ids are Error{bad_argument}.
class JobQueue {
 public:
  explicit JobQueue(const QueueLimits& limits = {});
  /// Stops what runs and waits for it. Jobs with a folder can be resumed later.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// folder: of the store, which must hold no run; empty: nothing is kept, so the job cannot be
  /// paused. A request without `threads`, or with more than the limit, gets the limit.
  /// throws Error{bad_argument} for options that are wrong, Error{io} and Error{bad_input} if the
  /// picture cannot be read, Error{too_large} if the job alone takes more memory than the limit.
  std::uint64_t submit(FitRequest request, const std::filesystem::path& folder = {},
                       std::shared_ptr<RunObserver> observer = nullptr);

  /// Waiting jobs wait until resume(); a running one ends after its iteration, its state is kept.
  /// throws Error{bad_argument} if it has no folder or came to its end.
  void pause(std::uint64_t id);
  /// A paused job goes back to the end of the queue. throws Error{bad_argument} if it is not
  /// paused.
  void resume(std::uint64_t id);
  /// A running job writes the best so far. Does nothing if it came to its end.
  void cancel(std::uint64_t id);

  JobInfo info(std::uint64_t id) const;
  std::vector<JobInfo> list() const;  ///< in the order of submission
  /// Returns once the job is neither queued nor running.
  JobInfo wait(std::uint64_t id) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Bytes that a run will take, from the head of its picture's file. throws as reading it and for
/// options that are wrong.
std::size_t memory_needed(const FitRequest& request);

}  // namespace unmar
