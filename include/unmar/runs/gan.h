#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "unmar/base/option.h"
#include "unmar/gan/model.h"
#include "unmar/image/image.h"
#include "unmar/runs/training.h"

namespace unmar {

/// A GAN to train on many pictures of one kind. All but the last group is kept in the model's
/// folder, and is what resuming goes on with.
struct GanTrainingRequest {
  std::filesystem::path images;
  int size = 0;  ///< 0: that of the pictures; of a folder 64
  bool gray = false, flip = false;

  int latent = 100, width = 64, kernel = 5;  ///< of GanOptions
  GanNorm norm_discriminator = GanNorm::batch;

  int iterations = 20'000, batch = 64;
  double lr = 2e-4, lr_discriminator = 2e-4, beta1 = 0.5, ema = 0.999, smooth = 0;
  std::uint64_t seed = 0;

  WeightType type = WeightType::f32;
  int samples = 0;  ///< iterations between the sheets of samples; 0: none
  std::string engine = "auto";

  std::filesystem::path output;
  int threads = 0;
  double checkpoint_every = 60;
};

/// All but the paths. Its last group is kTrainingRun, too.
const std::vector<Option<GanTrainingRequest>>& gan_training_options();

/// As run() and resume_training() of a diffusion model, with the same observer.
TrainingResult run(const GanTrainingRequest& request, TrainingObserver& observer,
                   std::stop_token stop = {});
TrainingResult resume_gan_training(const std::filesystem::path& folder,
                                   const TrainingChanges& changes, TrainingObserver& observer,
                                   std::stop_token stop = {});

struct GanSamplesRequest {
  int count = 16;
  std::uint64_t seed = 0;
  int threads = 0;
  std::string engine = "auto";
};
const std::vector<Option<GanSamplesRequest>>& gan_sampling_options();  ///< all of its members

/// Pictures of the model. Picture i of a seed is the same, however many there are. Cancelled: those
/// that are done, perhaps none. throws what GanGenerator does.
std::vector<Image> draw_samples(const GanModel& model, const GanSamplesRequest& request,
                                std::stop_token cancel = {});

}  // namespace unmar
