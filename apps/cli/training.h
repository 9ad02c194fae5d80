#pragma once

#include <unmar/dataset.h>
#include <unmar/trainer.h>
#include <unmar/weights.h>

#include <filesystem>
#include <string>
#include <vector>

namespace unmar::cli {

/// What `unmar ddpm train` is asked to do. All but the last group is kept in the model's folder,
/// and is what resuming goes on with.
struct TrainingArguments {
  std::filesystem::path images;
  int size = 0;  ///< 0: that of the pictures; of a folder 64
  bool gray = false, flip = false;

  std::filesystem::path unet;  ///< a config.json, instead of the next six
  std::vector<int> block_out_channels = {64, 128, 128};
  int layers_per_block = 2;
  std::vector<int> attention = {};  ///< sides at which; empty: the first of at most 16 px
  int norm_num_groups = 32;
  int attention_head_dim = 0;  ///< 0: one head
  double dropout = 0;

  std::string schedule = "cosine", prediction = "v_prediction";
  int iterations = 20'000, batch = 64;
  double lr = 2e-4, ema = 0.999, clip = 1;
  int warm_up = 500;
  std::uint64_t seed = 0;

  WeightType type = WeightType::f32;
  int samples = 0;  ///< iterations between the sheets of samples; 0: none
  std::string engine = "auto";

  std::filesystem::path output;
  int threads = 0;
  double checkpoint_every = 60;
  bool quiet = false, json = false;
};

/// Where a model is trained:
///   config.json, scheduler_config.json, diffusion_pytorch_model.safetensors   the model so far
///   training.json    what was asked for
///   checkpoint.bin   the training so far, to go on from
///   loss.csv         of every iteration
///   samples/         what the model drew on the way
struct TrainingFolder {
  std::filesystem::path path;

  std::filesystem::path record() const { return path / "training.json"; }
  std::filesystem::path checkpoint() const { return path / "checkpoint.bin"; }
  std::filesystem::path losses() const { return path / "loss.csv"; }
  std::filesystem::path samples() const { return path / "samples"; }
};

/// The pictures, square. throws Error if they cannot be had or do not suit.
Dataset training_pictures(const TrainingArguments& arguments);
/// Of pictures like these. throws Error{bad_argument} if the options contradict each other.
DdpmUnetOptions training_unet(const TrainingArguments& arguments, const Dataset& pictures);
SchedulerConfig training_scheduler(const TrainingArguments& arguments);

/// training.json: all that the weights depend on.
std::string to_json(const TrainingArguments& arguments, const DdpmUnetOptions& unet,
                    const std::string& pictures_sha256);
struct TrainingRecord {
  TrainingArguments arguments;
  DdpmUnetOptions unet;
  std::string pictures_sha256, version;
};
/// throws Error{io} if it cannot be read, Error{bad_input} if it is damaged.
TrainingRecord read_training_record(const std::filesystem::path& file);

/// Trains to the end, or until Ctrl-C, and writes the model. Returns the exit code.
int run_training(const TrainingArguments& arguments);
/// Goes on with the training that `record` was read from.
int resume_training(const TrainingRecord& record);

}  // namespace unmar::cli
