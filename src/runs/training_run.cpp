#include <fmt/format.h>

#include <numeric>
#include <optional>
#include <utility>

#include "base/fail.h"
#include "runs/moved.h"
#include "runs/training.h"
#include "unmar/base/checksum.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/runs/samples.h"
#include "unmar/runs/store.h"
#include "unmar/tasks/version.h"
#include "unmar/tensor/archive.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWhere = "ddpm train";
constexpr int kSheet = 64;            ///< samples
constexpr std::size_t kRecent = 100;  ///< updates whose mean loss is shown: one alone says little

double recent_loss(std::span<const float> losses) {
  if (losses.empty()) return 0;
  const auto last = losses.last(std::min(losses.size(), kRecent));
  return std::accumulate(last.begin(), last.end(), 0.0) / static_cast<double>(last.size());
}

std::string sha256_of(const Dataset& pictures) {
  return sha256({reinterpret_cast<const char*>(pictures.samples.data()), pictures.samples.size()});
}

/// One training from its pictures to its model.
class Training {
 public:
  /// resumed: what was begun before, or null.
  Training(const TrainingRequest& request, const runs::TrainingRecord* resumed,
           TrainingObserver& observer, std::stop_token stop)
      : a_(request), observer_(observer), stop_(std::move(stop)), folder_{request.output} {
    Dataset pictures = runs::training_pictures(a_);
    const std::string sha256 = sha256_of(pictures);
    if (resumed && sha256 != resumed->pictures_sha256)
      fail(ErrorCode::bad_input,
           "`resume`: the pictures of '{}' are not those that the training began with; put those "
           "back, or begin anew",
           a_.images.string());
    unet_ = resumed ? resumed->unet : runs::training_unet(a_, pictures);
    batches_.emplace(std::move(pictures),
                     BatchOptions{.batch = a_.batch, .flip = a_.flip, .seed = a_.seed});
    trainer_.emplace(runs::trainer_options(a_, unet_));
    record_ = runs::to_json(a_, unet_, sha256);
    if (resumed)
      load();
    else
      begin();
  }

  TrainingResult go() {
    announce();
    last_checkpoint_ = Clock::now();
    while (trainer_->updates() < a_.iterations && !stop_.stop_requested()) update();
    observer_.writing();
    save();
    return {.iterations = trainer_->updates(),
            .seconds = seconds(),
            .loss = recent_loss(trainer_->losses()),
            .whole = trainer_->updates() >= a_.iterations};
  }

 private:
  void begin() {
    std::error_code error;
    if (fs::exists(folder_.record(), error))
      fail(ErrorCode::bad_argument,
           "{}: '{}' holds a training already; go on with it by `resume`, or choose another folder",
           kWhere, folder_.path.string());
    if (fs::exists(folder_.path / "config.json", error))
      fail(ErrorCode::bad_argument, "{}: '{}' holds a model already; choose another folder", kWhere,
           folder_.path.string());
    prepare_folder(folder_.path, "`output`");
    lock_.emplace(folder_.path, kWhere);
    write_text(folder_.record(), record_, "`output`");
  }

  void load() {
    lock_.emplace(folder_.path, kWhere);
    remove_remains(folder_.path);
    std::error_code error;
    if (fs::exists(folder_.checkpoint(), error)) {
      const Checkpoint checkpoint(folder_.checkpoint(), "`resume`");
      Archive archive(checkpoint.payload(),
                      fmt::format("`resume`: '{}'", folder_.checkpoint().string()));
      TrainerState state;
      archive(earlier_seconds_, state);
      archive.expect_end();
      trainer_->restore(state);
    }
    if (trainer_->updates() >= a_.iterations)
      fail(ErrorCode::bad_argument,
           "`resume`: the training in '{}' is finished, after {} iterations; give more "
           "`iterations` to go on",
           folder_.path.string(), trainer_->updates());
    write_text(folder_.record(), record_, "`resume`");  // with the new --iterations
  }

  void announce() const {
    const Dataset& pictures = batches_->dataset();
    if (pictures.left_out > 0)
      observer_.warned(
          fmt::format("{} files of '{}' cannot be read and are left out, the first: {}",
                      pictures.left_out, a_.images.string(), pictures.why));
    std::size_t params = 0;
    for (const Param& param : trainer_->params()) params += param.shape.count();
    observer_.started({.request = a_,
                       .pictures = pictures.count(),
                       .width = pictures.width,
                       .height = pictures.height,
                       .channels = pictures.channels,
                       .parameters = params,
                       .memory_bytes = trainer_->memory_bytes(),
                       .done = trainer_->updates()});
  }

  void update() {
    const std::int64_t number = trainer_->updates();
    const TrainingBatch batch =
        training_batch(schedule_, scheduler_.prediction, batches_->at(number), a_.seed, number);
    trainer_->step(batch.noisy, batch.timesteps, batch.target);
    observer_.progressed({number, a_.iterations, seconds(), recent_loss(trainer_->losses())});
    const bool due = seconds_since(last_checkpoint_) >= a_.checkpoint_every;
    const bool drawn = a_.samples > 0 && (number + 1) % a_.samples == 0;
    if (!due && !drawn) return;
    // A full disk in the middle costs what could not be kept, not the training.
    try {
      if (drawn) draw_sheet(number + 1);
      if (due) save();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::io) throw;
      if (!std::exchange(warned_, true))
        observer_.warned(fmt::format("{}; the training goes on", error.what()));
      last_checkpoint_ = Clock::now();
    }
  }

  double seconds() const { return earlier_seconds_ + seconds_since(start_); }

  DiffusersModel model() const {
    return {unet_, scheduler_, unet_weights(unet_, trainer_->averages())};
  }

  void draw_sheet(std::int64_t iterations) const {
    prepare_folder(folder_.samples(), "`samples`");
    write_image(
        folder_.samples() / fmt::format("iteration_{:06}.png", iterations),
        sheet_of(draw_samples(
            model(),
            {.count = kSheet, .seed = a_.seed, .threads = a_.threads, .engine = a_.engine})));
  }

  /// The checkpoint last: what it goes on from is never older than the rest.
  void save() {
    write_diffusers(folder_.path, model(), a_.type);
    std::string csv = "iteration,loss\n";
    for (std::size_t i = 0; i < trainer_->losses().size(); ++i)
      csv += fmt::format("{},{:.9g}\n", i, trainer_->losses()[i]);
    write_text(folder_.losses(), csv, "`output`");
    double so_far = seconds();
    TrainerState state = trainer_->state();
    write_checkpoint(folder_.checkpoint(), "`output`",
                     [&](Archive& archive) { archive(so_far, state); });
    last_checkpoint_ = Clock::now();
  }

  const TrainingRequest& a_;
  TrainingObserver& observer_;
  const std::stop_token stop_;
  const TrainingFolder folder_;
  const SchedulerConfig scheduler_ = runs::training_scheduler(a_);
  const NoiseSchedule schedule_{scheduler_.schedule};
  DdpmUnetOptions unet_;
  std::optional<Batches> batches_;
  std::optional<Trainer> trainer_;
  std::string record_;
  std::optional<FolderLock> lock_;
  const Clock::time_point start_ = Clock::now();
  double earlier_seconds_ = 0;  ///< before the interruption
  Clock::time_point last_checkpoint_;
  bool warned_ = false;
};

}  // namespace

TrainingResult run(const TrainingRequest& request, TrainingObserver& observer,
                   std::stop_token stop) {
  return Training(request, nullptr, observer, std::move(stop)).go();
}

TrainingResult resume_training(const fs::path& path, const TrainingChanges& changes,
                               TrainingObserver& observer, std::stop_token stop) {
  const TrainingFolder folder{path};
  std::error_code error;
  if (!fs::exists(folder.record(), error))
    fail(
        ErrorCode::bad_input, "`resume`: '{}' {}; give the folder that `output` named",
        path.string(),
        fs::is_directory(path, error) ? "holds no training (no training.json)" : "is not a folder");
  runs::TrainingRecord record = runs::read_training_record(folder.record());
  TrainingRequest& request = record.request;
  request.iterations = changes.iterations.value_or(request.iterations);
  request.samples = changes.samples.value_or(request.samples);
  request.checkpoint_every = changes.checkpoint_every.value_or(request.checkpoint_every);
  request.threads = changes.threads.value_or(0);
  if (record.version != version())
    fail(ErrorCode::unsupported,
         "`resume`: the training in '{}' was begun by unmar {}, this is {}; go on with the version "
         "that began it",
         path.string(), record.version, version());
  if (!fs::exists(request.images, error)) {
    // Whether they are the same pictures is seen once they are read.
    const auto moved =
        runs::moved_along(request.images, path, [](const fs::path&) { return true; });
    if (moved) {
      observer.warned(fmt::format("the pictures '{}' are gone; trying '{}'",
                                  request.images.string(), moved->now.string()));
      request.images = moved->now;
    }
  }
  return Training(request, &record, observer, std::move(stop)).go();
}

}  // namespace unmar
