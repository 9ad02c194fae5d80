#include "unmar/runs/queue.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/fail.h"
#include "base/memory.h"
#include "runs/training.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/diffusion/unet_model.h"
#include "unmar/diffusion/weights.h"
#include "unmar/tasks/tiles.h"

namespace unmar {
namespace {

/// How far a job is: see JobInfo.
using Note =
    std::function<void(int done, int all, double seconds, const std::optional<double>& psnr)>;

/// Forwards to the observer of the user and notes how far the job is.
class NotingObserver : public RunObserver {
 public:
  NotingObserver(RunObserver* other, Note note) : other_(other), note_(std::move(note)) {}

  void started(const RunStart& start) override { call(&RunObserver::started, start); }
  void filtered(double share) override { call(&RunObserver::filtered, share); }
  void first_result(const Candidate& first, bool written) override {
    call(&RunObserver::first_result, first, written);
  }
  void progressed(const FitProgress& progress) override {
    const HistoryRow& row = progress.row;
    note_(row.iteration + 1, progress.iterations, progress.seconds,
          row.psnr_average ? row.psnr_average : row.psnr);
    call(&RunObserver::progressed, progress);
  }
  void tiled(const TileProgress& progress) override {
    note_(progress.done, progress.all, progress.seconds, std::nullopt);
    call(&RunObserver::tiled, progress);
  }
  void warned(const std::string& text) override { call(&RunObserver::warned, text); }
  void writing() override { call(&RunObserver::writing); }
  void finished(const FitRequest& request, const RunResult& result) override {
    call(&RunObserver::finished, request, result);
  }

 private:
  template <class Function, class... Args>
  void call(Function function, const Args&... args) {
    if (other_) (other_->*function)(args...);
  }

  RunObserver* other_;
  Note note_;
};

class NotingRefineObserver : public RefineObserver {
 public:
  NotingRefineObserver(RefineObserver* other, Note note) : other_(other), note_(std::move(note)) {}

  void started(const RefineRequest& request, bool has_checkpoint) override {
    if (other_) other_->started(request, has_checkpoint);
  }
  void progressed(const FitProgress& progress) override {
    fit_seconds_ = progress.seconds;
    note_(progress.row.iteration + 1, progress.iterations, progress.seconds,
          progress.row.psnr_average ? progress.row.psnr_average : progress.row.psnr);
    if (other_) other_->progressed(progress);
  }
  void chain_started(const Refined& refined) override {
    chain_ = Clock::now();
    if (other_) other_->chain_started(refined);
  }
  void stepped(const SampleProgress& progress) override {
    note_(progress.done, progress.steps, fit_seconds_ + seconds_since(chain_), std::nullopt);
    if (other_) other_->stepped(progress);
  }
  void warned(const std::string& text) override {
    if (other_) other_->warned(text);
  }
  void writing() override {
    if (other_) other_->writing();
  }
  void finished(const RefineRequest& request, const RefineRunResult& result) override {
    if (other_) other_->finished(request, result);
  }

 private:
  RefineObserver* other_;
  Note note_;
  double fit_seconds_ = 0;
  Clock::time_point chain_ = Clock::now();
};

class NotingTrainingObserver : public TrainingObserver {
 public:
  NotingTrainingObserver(TrainingObserver* other, Note note)
      : other_(other), note_(std::move(note)) {}

  void started(const TrainingStart& start) override {
    if (other_) other_->started(start);
  }
  void progressed(const TrainingProgress& progress) override {
    note_(static_cast<int>(progress.iteration) + 1, progress.iterations, progress.seconds,
          std::nullopt);
    if (other_) other_->progressed(progress);
  }
  void warned(const std::string& text) override {
    if (other_) other_->warned(text);
  }
  void writing() override {
    if (other_) other_->writing();
  }

 private:
  TrainingObserver* other_;
  Note note_;
};

/// Does a job, or goes on with it where it is kept. True: it came to its end, false: it was
/// stopped.
using Work = std::function<bool(const JobInfo& job, const std::stop_token& stop, const Note& note)>;

bool ended(JobState state) {
  return state == JobState::done || state == JobState::failed || state == JobState::cancelled;
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

std::size_t memory_needed(const FitRequest& request) {
  const RestoreOptions resolved = resolve(request.task, runs::options_with_files(request));
  ImageInfo info = read_image_info(request.in.picture, request.in.reading.page);
  if (const auto& region = request.in.reading.region)
    info.height = region->height, info.width = region->width;
  const int factor = resolved.factor.value_or(1);
  const Shape picture{1, info.channels, info.height * factor, info.width * factor};
  const TileGrid grid = tile_grid(request.task, info.height, info.width, resolved);
  if (grid.count() > 1) {
    RestoreOptions of_tile = resolved;
    of_tile.tile = "none";
    const Rect tile = grid.scaled(factor).tile(0);
    const std::size_t held = 3 * sizeof(float) * picture.count();
    return held + static_cast<std::size_t>(std::max(1, of_tile.threads.value_or(1))) *
                      memory_needed({1, info.channels, tile.height, tile.width}, *make_identity(),
                                    problem_options(of_tile), fit_options(of_tile),
                                    *make_engine(of_tile.engine.value()));
  }
  if (resolved.method == Method::patches)
    return 8 * sizeof(float) * picture.count();  // include/unmar/patches/patches.h
  const auto damage = make_identity();
  return memory_needed(picture, *damage, problem_options(resolved), fit_options(resolved),
                       *make_engine(resolved.engine.value()));
}

std::size_t memory_needed(const RefineRequest& request) {
  const bool fits = request.prior_file.empty() && request.options.from == StartFrom::prior;
  const std::size_t fit =
      fits ? memory_needed(FitRequest{
                 .task = request.task, .in = request.in, .options = request.options.restore})
           : 0;
  const std::filesystem::path config = diffusers_files(request.model).config;
  const DdpmUnetOptions unet = ddpm_unet_from_json(read_text(config, "refine"),
                                                   fmt::format("refine: '{}'", config.string()));
  std::size_t weights = 0;
  for (const TensorSpec& spec : unet_tensors(unet)) {
    std::size_t count = 1;
    for (const std::int64_t side : spec.shape) count *= static_cast<std::size_t>(side);
    weights += sizeof(float) * count;
  }
  const RestoreOptions resolved = resolve(request.task, request.options.restore);
  const int side = std::max(1, unet.sample_size);
  const UnetModelOptions options{.sample = {1, unet.in_channels, side, side},
                                 .engine = resolved.engine.value(),
                                 .threads = resolved.threads.value()};
  const bool has_gradient = request.options.consistency == Consistency::dps;
  return weights + std::max(fit, cost_of(unet, options, has_gradient).memory);
}

std::size_t memory_needed(const TrainingRequest& request) {
  const Dataset pictures =
      runs::training_pictures("ddpm train", request.images, request.size, request.gray);
  return pictures.samples.size() + Trainer::memory_needed(runs::trainer_options(
                                       request, runs::training_unet(request, pictures)));
}

std::size_t memory_needed(const GanTrainingRequest& request) {
  const Dataset pictures =
      runs::training_pictures("gan train", request.images, request.size, request.gray);
  return pictures.samples.size() +
         GanTrainer::memory_needed(runs::gan_trainer_options(request, pictures));
}

class JobQueue::Impl {
 public:
  explicit Impl(const QueueLimits& limits) : limits_(limits) {
    if (limits_.threads <= 0)
      limits_.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
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
    NotingObserver noting(observer.get(), note);
    std::optional<RunStore> store;
    if (!job.folder.empty()) store.emplace(job.folder, "queue");
    const RunResult result =
        store && std::filesystem::exists(store->record())
            ? unmar::resume(*store, job.threads, noting, stop)
            : run(std::get<FitRequest>(job.request), store ? &*store : nullptr, noting, stop);
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
    NotingRefineObserver noting(observer.get(), note);
    const bool begun =
        !job.folder.empty() && std::filesystem::exists(RefineFolder{job.folder}.record());
    const RefineRunResult result =
        begun ? resume_refine(job.folder, job.threads, noting, stop)
              : run(std::get<RefineRequest>(job.request), job.folder, noting, stop);
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
    NotingTrainingObserver noting(observer.get(), note);
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
