#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "unmar/runs/gan.h"
#include "unmar/runs/refine_run.h"
#include "unmar/runs/run.h"
#include "unmar/runs/training.h"

/// Several runs in one process.
namespace unmar {

enum class JobState { queued, running, paused, done, failed, cancelled };
const char* to_string(JobState state);

using JobRequest = std::variant<FitRequest, RefineRequest, TrainingRequest, GanTrainingRequest>;

/// A job as it stands.
struct JobInfo {
  std::uint64_t id = 0;  ///< from 1, in the order of submission
  JobState state = JobState::queued;
  JobRequest request = {};
  std::filesystem::path folder = {};  ///< where it is kept; empty: nowhere
  int threads = 0;                    ///< it takes of the queue's
  std::size_t memory = 0;             ///< bytes it takes of the queue's
  /// Done, and at most to do. Tiles, of a picture in tiles; of a refinement first the iterations of
  /// its fit, then the steps of its chain.
  int iteration = 0, iterations = 0;
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

  /// folder: where the job is kept, which must hold no run; empty: nowhere, so the job cannot be
  /// paused. A training is kept in its model's folder. A request without `threads`, or with more
  /// than the limit, gets the limit. What a training will take is known once its pictures are read,
  /// so that call takes the time for it.
  /// throws Error{bad_argument} for options that are wrong, Error{io} and Error{bad_input} if the
  /// picture or the model cannot be read, Error{too_large} if the job alone takes more memory than
  /// the limit.
  std::uint64_t submit(FitRequest request, const std::filesystem::path& folder = {},
                       std::shared_ptr<RunObserver> observer = nullptr);
  std::uint64_t submit(RefineRequest request, const std::filesystem::path& folder = {},
                       std::shared_ptr<RefineObserver> observer = nullptr);
  std::uint64_t submit(TrainingRequest request,
                       std::shared_ptr<TrainingObserver> observer = nullptr);
  std::uint64_t submit(GanTrainingRequest request,
                       std::shared_ptr<TrainingObserver> observer = nullptr);

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

/// Bytes that a run will take, from the head of its picture's file and the model's config.json; of
/// a training, from its pictures. throws as reading them and for options that are wrong.
std::size_t memory_needed(const FitRequest& request);
std::size_t memory_needed(const RefineRequest& request);
std::size_t memory_needed(const TrainingRequest& request);
std::size_t memory_needed(const GanTrainingRequest& request);

}  // namespace unmar
