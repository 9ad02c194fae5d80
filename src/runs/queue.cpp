#include "unmar/runs/queue.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/fail.h"
#include "base/limits.h"
#include "runs/noting.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"

namespace unmar {

using runs::Note;

namespace {

/// Does a job, or goes on with it where it is kept. True: it came to its end, false: it was
/// stopped.
using Work = std::function<bool(const JobInfo& job, const std::stop_token& stop, const Note& note)>;

bool ended(JobState state) {
  return state == JobState::done || state == JobState::failed || state == JobState::cancelled;
}

/// throws Error{io} if some tiles could not be restored.
void require_whole(const RunResult& result) {
  if (!result.tiling || !result.tiling->failed) return;
  const TilingFacts& tiling = *result.tiling;
  fail(ErrorCode::io, "{}; {} of {} tiles stay as they came", tiling.why,
       tiling.count - static_cast<int>(tiling.tiles.size()), tiling.count);
}

}  // namespace

const char* to_string(JobState state) {
  switch (state) {
    case JobState::queued:
      return "queued";
    case JobState::running:
      return "running";
    case JobState::paused:
      return "paused";
    case JobState::done:
      return "done";
    case JobState::failed:
      return "failed";
    case JobState::cancelled:
      return "cancelled";
  }
  return "unknown";
}

class JobQueue::Impl {
 public:
  explicit Impl(const QueueLimits& limits) : limits_(limits) {
    limits_.threads = thread_count(limits_.threads);
    if (limits_.memory == 0) limits_.memory = available_memory().value_or(0);
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      waiting_.clear();
      for (auto& [id, job] : jobs_) job.stop.request_stop();
    }
    for (auto& [id, job] : jobs_)
      if (job.thread.joinable()) job.thread.join();
  }

  /// The threads that a job gets of the `wanted`; 0: as many as there are.
  int share_of(int wanted) const {
    return wanted <= 0 || wanted > limits_.threads ? limits_.threads : wanted;
  }

  std::uint64_t submit(JobRequest request, const std::filesystem::path& folder, int threads,
                       std::size_t memory, Work work) {
    if (limits_.memory > 0 && memory > limits_.memory)
      fail(ErrorCode::too_large,
           "queue: the job takes {} MiB, but all jobs together may take {}; choose a smaller "
           "network or picture",
           memory >> 20, limits_.memory >> 20);
    const std::lock_guard lock(mutex_);
    const std::uint64_t id = jobs_.size() + 1;
    Job& job = jobs_[id];
    job.info = {.id = id, .folder = folder, .threads = threads, .memory = memory};
    job.info.request = std::move(request);
    job.work = std::move(work);
    waiting_.push_back(id);
    start_jobs();
    return id;
  }

  void pause(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    Job& job = find(id);
    JobInfo& info = job.info;
    if (ended(info.state))
      fail(ErrorCode::bad_argument, "queue: job {} is {}; only others can be paused", id,
           to_string(info.state));
    if (info.folder.empty())
      fail(ErrorCode::bad_argument,
           "queue: job {} is kept nowhere, so it cannot be paused; submit it with a folder", id);
    if (info.state == JobState::running) {
      job.pausing = true;
      job.stop.request_stop();
    } else if (info.state == JobState::queued) {
      std::erase(waiting_, id);
      info.state = JobState::paused;
      changed_.notify_all();
      start_jobs();
    }
  }

  void resume(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    Job& job = find(id);
    if (job.info.state != JobState::paused)
      fail(ErrorCode::bad_argument, "queue: job {} is {}, not paused", id,
           to_string(job.info.state));
    job.info.state = JobState::queued;
    waiting_.push_back(id);
    start_jobs();
  }

  void cancel(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    Job& job = find(id);
    if (job.info.state == JobState::running) {
      job.pausing = false;
      job.stop.request_stop();
    } else if (!ended(job.info.state)) {
      std::erase(waiting_, id);
      job.info.state = JobState::cancelled;
      changed_.notify_all();
      start_jobs();
    }
  }

  JobInfo info(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    return find(id).info;
  }

  std::vector<JobInfo> list() const {
    const std::lock_guard lock(mutex_);
    std::vector<JobInfo> all;
    for (const auto& [id, job] : jobs_) all.push_back(job.info);
    return all;
  }

  JobInfo wait(std::uint64_t id) const {
    std::unique_lock lock(mutex_);
    const Job& job = find(id);
    changed_.wait(lock, [&] {
      return job.info.state != JobState::queued && job.info.state != JobState::running;
    });
    return job.info;
  }

 private:
  struct Job {
    JobInfo info = {};
    Work work = {};
    std::stop_source stop = {};
    bool pausing = false;  ///< why it was asked to stop
    std::thread thread = {};
  };

  template <class Self>
  static auto& find_in(Self& self, std::uint64_t id) {
    const auto at = self.jobs_.find(id);
    if (at == self.jobs_.end()) fail(ErrorCode::bad_argument, "queue: there is no job {}", id);
    return at->second;
  }
  Job& find(std::uint64_t id) { return find_in(*this, id); }
  const Job& find(std::uint64_t id) const { return find_in(*this, id); }

  /// With the mutex held.
  void start_jobs() {
    while (!waiting_.empty()) {
      Job& job = jobs_.at(waiting_.front());
      const bool alone = threads_taken_ == 0;
      const bool fits = threads_taken_ + job.info.threads <= limits_.threads &&
                        (limits_.memory == 0 ||  // the system does not tell
                         memory_taken_ + job.info.memory <= limits_.memory);
      if (!alone && !fits) return;
      waiting_.pop_front();
      threads_taken_ += job.info.threads;
      memory_taken_ += job.info.memory;
      job.info.state = JobState::running;
      job.stop = std::stop_source();
      job.pausing = false;
      if (job.thread.joinable()) job.thread.join();  // of before it was paused; it is at its end
      job.thread = std::thread([this, &job] { work(job); });
    }
  }

  void work(Job& job) {
    JobState state = JobState::failed;
    std::string error;
    try {
      state = run_job(job);
    } catch (const std::exception& e) {
      error = e.what();
    }
    const std::lock_guard lock(mutex_);
    job.info.state = state;
    job.info.error = error;
    threads_taken_ -= job.info.threads;
    memory_taken_ -= job.info.memory;
    changed_.notify_all();
    start_jobs();
  }

  JobState run_job(Job& job) {
    const Note note = [&](int done, int all, double seconds, const auto& psnr) {
      const std::lock_guard lock(mutex_);
      job.info.iteration = done;
      job.info.iterations = all;
      job.info.seconds = seconds;
      job.info.psnr = psnr;
    };
    bool whole = false;
    try {
      // The job's request and folder do not change once it was submitted.
      whole = job.work(job.info, job.stop.get_token(), note);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::cancelled) throw;
    }
    const std::lock_guard lock(mutex_);
    if (whole) return JobState::done;
    return job.pausing ? JobState::paused : JobState::cancelled;
  }

  QueueLimits limits_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::uint64_t, Job> jobs_;  ///< references stay valid
  std::deque<std::uint64_t> waiting_;
  int threads_taken_ = 0;
  std::size_t memory_taken_ = 0;
};

JobQueue::JobQueue(const QueueLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
JobQueue::~JobQueue() = default;

std::uint64_t JobQueue::submit(FitRequest request, const std::filesystem::path& folder,
                               std::shared_ptr<RunObserver> observer) {
  const int threads = impl_->share_of(request.options.threads.value_or(0));
  request.options.threads = threads;
  const std::size_t memory = memory_needed(request);
  if (!folder.empty()) RunStore(folder, "queue").require_free();
  const auto work = [observer = std::move(observer)](
                        const JobInfo& job, const std::stop_token& stop, const Note& note) {
    runs::NotingObserver noting(observer.get(), note);
    std::optional<RunStore> store;
    if (!job.folder.empty()) store.emplace(job.folder, "queue");
    const RunResult result =
        store && std::filesystem::exists(store->record())
            ? unmar::resume(*store, {.threads = job.threads}, noting, stop)
            : run(std::get<FitRequest>(job.request), store ? &*store : nullptr, noting, stop);
    if (!stop.stop_requested()) require_whole(result);
    return result.restored.fit.stopped_by != StoppedBy::cancelled;
  };
  return impl_->submit(std::move(request), folder, threads, memory, work);
}

std::uint64_t JobQueue::submit(RefineRequest request, const std::filesystem::path& folder,
                               std::shared_ptr<RefineObserver> observer) {
  const int threads = impl_->share_of(request.options.restore.threads.value_or(0));
  request.options.restore.threads = threads;
  const std::size_t memory = memory_needed(request);
  if (!folder.empty()) RunStore(folder, "queue").require_free();
  const auto work = [observer = std::move(observer)](
                        const JobInfo& job, const std::stop_token& stop, const Note& note) {
    runs::NotingRefineObserver noting(observer.get(), note);
    const bool begun =
        !job.folder.empty() && std::filesystem::exists(RefineFolder{job.folder}.record());
    const RefineRunResult result =
        begun ? resume_refine(job.folder, {.threads = job.threads}, noting, stop)
              : run(std::get<RefineRequest>(job.request), job.folder, noting, stop);
    if (result.tiled && !stop.stop_requested()) require_whole(*result.tiled);
    return !result.refined.cancelled;
  };
  return impl_->submit(std::move(request), folder, threads, memory, work);
}

namespace {

/// resume: resume_training() of this kind of model.
template <class Request, class Impl, class Resume>
std::uint64_t submit_training(Impl& queue, Request request,
                              std::shared_ptr<TrainingObserver> observer, const Resume& resume) {
  request.threads = queue.share_of(request.threads);
  const TrainingFolder folder{request.output};
  if (std::filesystem::exists(folder.record()))
    fail(ErrorCode::bad_argument, "queue: '{}' holds a training already; choose another folder",
         folder.path.string());
  const std::size_t memory = memory_needed(request);
  const auto work = [observer = std::move(observer), resume](
                        const JobInfo& job, const std::stop_token& stop, const Note& note) {
    runs::NotingTrainingObserver noting(observer.get(), note);
    const bool begun = std::filesystem::exists(TrainingFolder{job.folder}.record());
    const TrainingResult result =
        begun ? resume(job.folder, TrainingChanges{.threads = job.threads}, noting, stop)
              : run(std::get<Request>(job.request), noting, stop);
    return result.whole;
  };
  const int threads = request.threads;
  return queue.submit(std::move(request), folder.path, threads, memory, work);
}

}  // namespace

std::uint64_t JobQueue::submit(TrainingRequest request,
                               std::shared_ptr<TrainingObserver> observer) {
  return submit_training(*impl_, std::move(request), std::move(observer), resume_training);
}
std::uint64_t JobQueue::submit(GanTrainingRequest request,
                               std::shared_ptr<TrainingObserver> observer) {
  return submit_training(*impl_, std::move(request), std::move(observer), resume_gan_training);
}
void JobQueue::pause(std::uint64_t id) { impl_->pause(id); }
void JobQueue::resume(std::uint64_t id) { impl_->resume(id); }
void JobQueue::cancel(std::uint64_t id) { impl_->cancel(id); }
JobInfo JobQueue::info(std::uint64_t id) const { return impl_->info(id); }
std::vector<JobInfo> JobQueue::list() const { return impl_->list(); }
JobInfo JobQueue::wait(std::uint64_t id) const { return impl_->wait(id); }

}  // namespace unmar
