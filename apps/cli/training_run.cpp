#include <fmt/format.h>
#include <unmar/archive.h>
#include <unmar/checksum.h>
#include <unmar/error.h>
#include <unmar/version.h>

#include <cstdio>
#include <numeric>
#include <optional>

#include "clock.h"
#include "interrupt.h"
#include "output_file.h"
#include "progress.h"
#include "report.h"
#include "run_folder.h"
#include "samples.h"
#include "sealed_file.h"
#include "training.h"

namespace unmar::cli {
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

TrainerOptions trainer_options(const TrainingArguments& a, const DdpmUnetOptions& unet) {
  return {.unet = unet,
          .batch = {a.batch, unet.in_channels, unet.sample_size, unet.sample_size},
          .lr = static_cast<float>(a.lr),
          .warmup = a.warm_up,
          .clip_norm = static_cast<float>(a.clip),
          .ema_decay = static_cast<float>(a.ema),
          .seed = a.seed,
          .threads = a.threads,
          .engine = a.engine};
}

/// One training from its pictures to its model.
class Training {
 public:
  /// resumed: what was begun before, or null.
  Training(const TrainingArguments& arguments, const TrainingRecord* resumed)
      : a_(arguments), folder_{arguments.output} {
    Dataset pictures = training_pictures(a_);
    const std::string sha256 = sha256_of(pictures);
    if (resumed && sha256 != resumed->pictures_sha256)
      throw Error(
          ErrorCode::bad_input,
          fmt::format("--resume: the pictures of '{}' are not those that the training began "
                      "with; put those back, or begin anew",
                      a_.images.string()));
    unet_ = resumed ? resumed->unet : training_unet(a_, pictures);
    count_ = pictures.count();
    batches_.emplace(std::move(pictures),
                     BatchOptions{.batch = a_.batch, .flip = a_.flip, .seed = a_.seed});
    trainer_.emplace(trainer_options(a_, unet_));
    record_ = to_json(a_, unet_, sha256);
    if (resumed)
      load();
    else
      begin();
  }

  int go() {
    announce();
    Progress progress("train", false, a_.quiet);
    last_checkpoint_ = Clock::now();
    try {
      while (trainer_->updates() < a_.iterations && !interrupt_.noted()) update(progress);
    } catch (...) {
      progress.finish();
      throw;
    }
    progress.finish();
    interrupt_.hold_off();
    save();
    tell();
    return 0;
  }

 private:
  void begin() {
    std::error_code error;
    if (fs::exists(folder_.record(), error))
      throw Error(ErrorCode::bad_argument,
                  fmt::format("{}: '{}' holds a training already; go on with it by --resume, or "
                              "choose another folder",
                              kWhere, folder_.path.string()));
    if (fs::exists(folder_.path / "config.json", error))
      throw Error(ErrorCode::bad_argument,
                  fmt::format("{}: '{}' holds a model already; choose another folder", kWhere,
                              folder_.path.string()));
    prepare_folder(folder_.path, "-o");
    lock_.emplace(folder_.path, kWhere);
    write_text(folder_.record(), record_, "-o");
  }

  void load() {
    lock_.emplace(folder_.path, kWhere);
    RunFolder(folder_.path).clean();
    std::error_code error;
    if (fs::exists(folder_.checkpoint(), error)) {
      const std::string payload =
          unsealed(read_text(folder_.checkpoint(), "--resume"), folder_.checkpoint());
      Archive archive(payload, fmt::format("--resume: '{}'", folder_.checkpoint().string()));
      TrainerState state;
      archive(earlier_seconds_, state);
      archive.expect_end();
      trainer_->restore(state);
    }
    if (trainer_->updates() >= a_.iterations)
      throw Error(
          ErrorCode::bad_argument,
          fmt::format("--resume: the training in '{}' is finished, after {} iterations; give "
                      "more --iterations to go on",
                      folder_.path.string(), trainer_->updates()));
    write_text(folder_.record(), record_, "--resume");  // with the new --iterations
  }

  void announce() const {
    if (a_.quiet) return;
    const Dataset& pictures = batches_->dataset();
    std::size_t params = 0;
    for (const Param& param : trainer_->params()) params += param.shape.count();
    fmt::print(stderr, "{} pictures of {}x{} px, {}; U-Net of {} parameters; {} MiB\n", count_,
               pictures.width, pictures.height, pictures.channels == 1 ? "gray" : "RGB", params,
               trainer_->memory_bytes() >> 20);
    if (trainer_->updates() > 0)
      fmt::print(stderr, "going on after {} iterations\n", trainer_->updates());
    fmt::print(stderr,
               "{} iterations of {} pictures: {:.1f} passes; Ctrl-C stops and keeps the "
               "model so far\n",
               a_.iterations, a_.batch,
               static_cast<double>(a_.iterations) * a_.batch / static_cast<double>(count_));
  }

  void update(Progress& progress) {
    const std::int64_t number = trainer_->updates();
    const TrainingBatch batch =
        training_batch(schedule_, scheduler_.prediction, batches_->at(number), a_.seed, number);
    trainer_->step(batch.noisy, batch.timesteps, batch.target);
    HistoryRow row;
    row.iteration = static_cast<int>(number);
    row.loss = static_cast<float>(recent_loss(trainer_->losses()));
    progress.update({row, a_.iterations, seconds(), row.iteration, batch.noisy, batch.noisy});
    const bool due = seconds_since(last_checkpoint_) >= a_.checkpoint_every;
    const bool drawn = a_.samples > 0 && (number + 1) % a_.samples == 0;
    if (!due && !drawn) return;
    // A full disk in the middle costs what could not be kept, not the training.
    try {
      if (drawn) draw_sheet(number + 1);
      if (due) save();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::io) throw;
      progress.finish();
      if (!warned_) fmt::print(stderr, "warning: {}; the training goes on\n", error.what());
      warned_ = true;
      last_checkpoint_ = Clock::now();
    }
  }

  double seconds() const { return earlier_seconds_ + seconds_since(start_); }

  DiffusersModel model() const {
    return {unet_, scheduler_, unet_weights(unet_, trainer_->averages())};
  }

  void draw_sheet(std::int64_t iterations) const {
    prepare_folder(folder_.samples(), "--samples");
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
    write_text(folder_.losses(), csv, "-o");
    double so_far = seconds();
    TrainerState state = trainer_->state();
    Archive archive;
    archive(so_far, state);
    write_text(folder_.checkpoint(), sealed(archive.take()), "-o");
    last_checkpoint_ = Clock::now();
  }

  void tell() const {
    const double loss = recent_loss(trainer_->losses());
    const bool whole = trainer_->updates() >= a_.iterations;
    if (!a_.quiet) {
      fmt::print(stderr, "{} after {} iterations in {:.0f} s; loss {:.5f}; model in {}\n",
                 whole ? "finished" : "stopped by you", trainer_->updates(), seconds(), loss,
                 folder_.path.string());
      if (!whole)
        fmt::print(stderr, "'unmar ddpm train --resume {}' goes on from here\n",
                   folder_.path.string());
    }
    if (a_.json)
      fmt::print(
          "{{\"iterations\":{},\"loss\":{:.9g},\"seconds\":{:.3f},\"peak_memory_mib\":{:.1f}}}"
          "\n",
          trainer_->updates(), loss, seconds(), peak_memory_mib());
  }

  const TrainingArguments& a_;
  const TrainingFolder folder_;
  const SchedulerConfig scheduler_ = training_scheduler(a_);
  const NoiseSchedule schedule_{scheduler_.schedule};
  DdpmUnetOptions unet_;
  std::size_t count_ = 0;
  std::optional<Batches> batches_;
  std::optional<Trainer> trainer_;
  std::string record_;
  std::optional<RunLock> lock_;
  Interrupt interrupt_;
  const Clock::time_point start_ = Clock::now();
  double earlier_seconds_ = 0;  ///< before the interruption
  Clock::time_point last_checkpoint_;
  bool warned_ = false;
};

}  // namespace

int run_training(const TrainingArguments& arguments) { return Training(arguments, nullptr).go(); }

int resume_training(const TrainingRecord& record) {
  if (record.version != version())
    throw Error(
        ErrorCode::unsupported,
        fmt::format("--resume: the training in '{}' was begun by unmar {}, this is {}; go on "
                    "with the version that began it",
                    record.arguments.output.string(), record.version, version()));
  return Training(record.arguments, &record).go();
}

}  // namespace unmar::cli
