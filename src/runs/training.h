#pragma once

#include <filesystem>
#include <string>

#include "unmar/runs/gan.h"
#include "unmar/runs/training.h"

namespace unmar::runs {

/// The pictures, square. throws Error if they cannot be had or do not suit.
Dataset training_pictures(const char* command, const std::filesystem::path& images, int size,
                          bool gray);
/// Of pictures like these. throws Error{bad_argument} if the options contradict each other.
DdpmUnetOptions training_unet(const TrainingRequest& request, const Dataset& pictures);
TrainerOptions trainer_options(const TrainingRequest& request, const DdpmUnetOptions& unet);
SchedulerConfig training_scheduler(const TrainingRequest& request);

struct TrainingRecord {
  TrainingRequest request;
  DdpmUnetOptions unet;
  std::string pictures_sha256, version;
};
/// training.json: all that the weights depend on.
std::string to_json(const TrainingRequest& request, const DdpmUnetOptions& unet,
                    const std::string& pictures_sha256);
/// throws Error{io} if it cannot be read, Error{bad_input} if it is damaged.
TrainingRecord read_training_record(const std::filesystem::path& file);

/// For pictures like these. throws Error{bad_argument} if the options do not suit them.
GanTrainerOptions gan_trainer_options(const GanTrainingRequest& request, const Dataset& pictures);

struct GanTrainingRecord {
  GanTrainingRequest request;
  std::string pictures_sha256, version;
};
/// The same for a GAN, whose options say all of its networks but the size, which the pictures do.
std::string to_json(const GanTrainingRequest& request, const std::string& pictures_sha256);
GanTrainingRecord read_gan_training_record(const std::filesystem::path& file);

}  // namespace unmar::runs
