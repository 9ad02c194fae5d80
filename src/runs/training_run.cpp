#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "runs/training.h"
#include "runs/training_life.h"
#include "unmar/runs/samples.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr int kSheet = 64;            ///< samples
constexpr std::size_t kRecent = 100;  ///< updates whose mean loss is shown: one alone says little

class DdpmLearner : public runs::Learner {
 public:
  DdpmLearner(const TrainingRequest& request, const DdpmUnetOptions& unet)
      : a_(request),
        unet_(unet),
        scheduler_(runs::training_scheduler(request)),
        schedule_(scheduler_.schedule),
        trainer_(runs::trainer_options(request, unet)) {}

  std::int64_t updates() const override { return trainer_.updates(); }

  void update(const Tensor& pictures) override {
    const TrainingBatch batch =
        training_batch(schedule_, scheduler_.prediction, pictures, a_.seed, updates());
    trainer_.step(batch.noisy, batch.timesteps, batch.target);
  }

  std::size_t param_count() const override {
    std::size_t count = 0;
    for (const Param& param : trainer_.params()) count += param.shape.count();
    return count;
  }
  std::size_t memory_bytes() const override { return trainer_.memory_bytes(); }

  double recent_loss() const override {
    const auto losses = trainer_.losses();
    if (losses.empty()) return 0;
    const auto last = losses.last(std::min(losses.size(), kRecent));
    return std::accumulate(last.begin(), last.end(), 0.0) / static_cast<double>(last.size());
  }

  void write_model(const fs::path& folder) const override {
    write_diffusers(folder, model(), a_.type);
  }

  std::string curve() const override {
    std::string csv = "iteration,loss\n";
    for (std::size_t i = 0; i < trainer_.losses().size(); ++i)
      csv += fmt::format("{},{:.9g}\n", i, trainer_.losses()[i]);
    return csv;
  }

  Image sheet() const override {
    return sheet_of(draw_samples(model(), {.count = kSheet,
                                           .seed = a_.seed,
                                           .threads = a_.threads,
                                           .engine = a_.engine,
                                           .precision = a_.precision}));
  }

  void save(Archive& archive) const override {
    TrainerState state = trainer_.state();
    archive(state);
  }
  void load(Archive& archive) override {
    TrainerState state;
    archive(state);
    trainer_.restore(state);
  }

 private:
  DiffusersModel model() const {
    return {unet_, scheduler_, unet_weights(unet_, trainer_.averages())};
  }

  const TrainingRequest& a_;
  const DdpmUnetOptions unet_;
  const SchedulerConfig scheduler_;
  const NoiseSchedule schedule_;
  Trainer trainer_;
};

TrainingResult train(const TrainingRequest& a, Dataset pictures, const DdpmUnetOptions& unet,
                     bool resumed, TrainingObserver& observer, std::stop_token stop) {
  const runs::LifeOptions options{.command = "ddpm train",
                                  .network = "U-Net",
                                  .images = a.images,
                                  .output = a.output,
                                  .iterations = a.iterations,
                                  .samples = a.samples,
                                  .batch = a.batch,
                                  .flip = a.flip,
                                  .seed = a.seed,
                                  .checkpoint_every = a.checkpoint_every,
                                  .record = runs::to_json(a, unet, runs::sha256_of(pictures))};
  DdpmLearner learner(a, unet);
  return runs::live(options, resumed, std::move(pictures), learner, observer, std::move(stop));
}

}  // namespace

TrainingResult run(const TrainingRequest& request, TrainingObserver& observer,
                   std::stop_token stop) {
  Dataset pictures =
      runs::training_pictures("ddpm train", request.images, request.size, request.gray);
  const DdpmUnetOptions unet = runs::training_unet(request, pictures);
  return train(request, std::move(pictures), unet, false, observer, std::move(stop));
}

TrainingResult resume_training(const fs::path& path, const TrainingChanges& changes,
                               TrainingObserver& observer, std::stop_token stop) {
  const TrainingFolder folder{path};
  runs::require_training(folder);
  runs::TrainingRecord record = runs::read_training_record(folder.record());
  TrainingRequest& request = record.request;
  runs::apply(changes, request);
  runs::require_version(folder, record.version);
  request.images = runs::found_again(request.images, path, observer);
  Dataset pictures =
      runs::training_pictures("ddpm train", request.images, request.size, request.gray);
  runs::require_same(pictures, record.pictures_sha256, request.images);
  return train(request, std::move(pictures), record.unet, true, observer, std::move(stop));
}

}  // namespace unmar
