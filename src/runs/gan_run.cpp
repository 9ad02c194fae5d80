#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "runs/training.h"
#include "runs/training_life.h"
#include "unmar/gan/trainer.h"
#include "unmar/runs/gan.h"
#include "unmar/runs/samples.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr int kGanSheet = 64;             ///< samples
constexpr std::size_t kRecentGame = 100;  ///< updates
constexpr int kGanBatch = 16;             ///< samples that are drawn at once

GanUpdate mean_of(std::span<const GanUpdate> updates) {
  GanUpdate mean;
  for (const GanUpdate& u : updates) {
    mean.generator_loss += u.generator_loss;
    mean.discriminator_loss += u.discriminator_loss;
    mean.accuracy += u.accuracy;
    mean.diversity += u.diversity;
  }
  const auto count = static_cast<float>(updates.size());
  for (float* v : {&mean.generator_loss, &mean.discriminator_loss, &mean.accuracy, &mean.diversity})
    *v /= count;
  return mean;
}

class GanLearner : public runs::Learner {
 public:
  GanLearner(const GanTrainingRequest& request, const GanTrainerOptions& options)
      : a_(request), gan_(options.gan), trainer_(options) {}

  std::int64_t updates() const override {
    return static_cast<std::int64_t>(trainer_.updates().size());
  }
  void update(const Tensor& pictures) override { trainer_.step(pictures); }
  std::size_t param_count() const override { return trainer_.param_count(); }
  std::size_t memory_bytes() const override { return trainer_.memory_bytes(); }

  double recent_loss() const override {
    const auto game = recent_game();
    return game ? double{game->generator_loss} : 0;
  }
  std::optional<GanUpdate> recent_game() const override {
    const auto all = trainer_.updates();
    if (all.empty()) return std::nullopt;
    return mean_of(all.last(std::min(all.size(), kRecentGame)));
  }

  std::vector<std::string> signs() const override {
    const GanSigns seen = failure_signs(trainer_.updates());
    std::vector<std::string> texts;
    if (seen.collapsed)
      texts.emplace_back(
          "the samples differ from each other far less than the pictures do (collapse); lower "
          "`lr`, raise `batch`, or take another `seed`");
    if (seen.discriminator_too_strong)
      texts.emplace_back(
          "the discriminator tells nearly every picture right, so the generator learns little; "
          "lower `lr_discriminator`, or give `smooth` 0.1");
    return texts;
  }

  void write_model(const fs::path& folder) const override { write_gan(folder, model(), a_.type); }

  std::string curve() const override {
    std::string csv = "iteration,generator_loss,discriminator_loss,accuracy,diversity\n";
    std::size_t i = 0;
    for (const GanUpdate& u : trainer_.updates())
      csv += fmt::format("{},{:.9g},{:.9g},{:.9g},{:.9g}\n", i++, u.generator_loss,
                         u.discriminator_loss, u.accuracy, u.diversity);
    return csv;
  }

  Image sheet() const override {
    return sheet_of(draw_samples(
        model(),
        GanSamplesRequest{
            .count = kGanSheet, .seed = a_.seed, .threads = a_.threads, .engine = a_.engine}));
  }

  void save(Archive& archive) const override {
    GanTrainerState state = trainer_.state();
    archive(state);
  }
  void load(Archive& archive) override {
    GanTrainerState state;
    archive(state);
    trainer_.restore(state);
  }

 private:
  GanModel model() const { return {gan_, gan_weights(gan_, trainer_.averages())}; }

  const GanTrainingRequest& a_;
  const GanOptions gan_;
  GanTrainer trainer_;
};

TrainingResult train_gan(const GanTrainingRequest& a, Dataset pictures, bool resumed,
                         TrainingObserver& observer, std::stop_token stop) {
  const GanTrainerOptions trainer = runs::gan_trainer_options(a, pictures);
  const runs::LifeOptions options{.command = "gan train",
                                  .network = "generator and discriminator",
                                  .images = a.images,
                                  .output = a.output,
                                  .iterations = a.iterations,
                                  .samples = a.samples,
                                  .batch = a.batch,
                                  .flip = a.flip,
                                  .seed = a.seed,
                                  .checkpoint_every = a.checkpoint_every,
                                  .record = runs::to_json(a, runs::sha256_of(pictures))};
  GanLearner learner(a, trainer);
  return runs::live(options, resumed, std::move(pictures), learner, observer, std::move(stop));
}

}  // namespace

TrainingResult run(const GanTrainingRequest& request, TrainingObserver& observer,
                   std::stop_token stop) {
  return train_gan(request,
                   runs::training_pictures("gan train", request.images, request.size, request.gray),
                   false, observer, std::move(stop));
}

TrainingResult resume_gan_training(const fs::path& path, const TrainingChanges& changes,
                                   TrainingObserver& observer, std::stop_token stop) {
  const TrainingFolder folder{path};
  runs::require_training(folder);
  runs::GanTrainingRecord record = runs::read_gan_training_record(folder.record());
  GanTrainingRequest& request = record.request;
  runs::apply(changes, request);
  runs::require_version(folder, record.version);
  request.images = runs::found_again(request.images, path, observer);
  Dataset pictures =
      runs::training_pictures("gan train", request.images, request.size, request.gray);
  runs::require_same(pictures, record.pictures_sha256, request.images);
  return train_gan(request, std::move(pictures), true, observer, std::move(stop));
}

std::vector<Image> draw_samples(const GanModel& model, const GanSamplesRequest& r,
                                std::stop_token cancel) {
  const int batch = std::min(kGanBatch, r.count);
  GanGenerator generator(model, {.batch = batch, .engine = r.engine, .threads = r.threads});
  std::vector<Image> pictures;
  for (int first = 0; first < r.count && !cancel.stop_requested(); first += batch) {
    // The last batch may hold some too many.
    const Tensor made = generator.pictures(latent_of(model.gan, r.seed, first, batch));
    std::ranges::move(pictures_of(made, std::min(batch, r.count - first)),
                      std::back_inserter(pictures));
  }
  return pictures;
}

}  // namespace unmar
