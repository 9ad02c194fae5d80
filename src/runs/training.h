#pragma once

#include <filesystem>
#include <string>

#include "unmar/runs/training.h"

namespace unmar::runs {

/// The pictures, square. throws Error if they cannot be had or do not suit.
Dataset training_pictures(const TrainingRequest& request);
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

}  // namespace unmar::runs
