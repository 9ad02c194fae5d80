#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "unmar/base/option.h"
#include "unmar/data/dataset.h"
#include "unmar/diffusion/trainer.h"
#include "unmar/diffusion/weights.h"
#include "unmar/engine/engine.h"
#include "unmar/gan/trainer.h"

namespace unmar {

/// A diffusion model to train on many pictures of one kind. All but the last group is kept in the
/// model's folder, and is what resuming goes on with.
struct TrainingRequest {
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
  Precision precision = Precision::tf32;  ///< CompileOptions::precision

  std::filesystem::path output;
  int threads = 0;
  double checkpoint_every = 60;
};

/// All but the paths.
const std::vector<Option<TrainingRequest>>& training_options();
/// Groups of that table: what `unet` stands instead of, and what resuming may change.
inline constexpr const char* kTrainingNetwork = "Network, named as in diffusers' config.json";
inline constexpr const char* kTrainingRun = "Run; --resume takes these, too";

/// Where a model is trained:
///   config.json, scheduler_config.json, diffusion_pytorch_model.safetensors   the model so far; of
///   a
///                    GAN config.json and generator.safetensors
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

/// What is known when a training begins or goes on.
struct TrainingStart {
  const std::filesystem::path& output;
  const char* network;    ///< "U-Net"
  int iterations, batch;  ///< as asked for
  std::size_t pictures;   ///< of width x height x channels
  int width, height, channels;
  std::size_t parameters, memory_bytes;
  std::int64_t done;  ///< iterations, of earlier parts of the training
};

struct TrainingProgress {
  std::int64_t iteration;  ///< the last one, from 0
  int iterations;
  double seconds;                      ///< earlier parts of the training included
  double loss;                         ///< mean of the last hundred
  std::optional<GanUpdate> game = {};  ///< the same, of a GAN
};

struct TrainingResult {
  std::int64_t iterations = 0;
  double seconds = 0, loss = 0;
  std::optional<GanUpdate> game = {};  ///< of a GAN, mean of the last hundred
  bool whole = false;                  ///< it came to its end
};

class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void started(const TrainingStart&) {}
  virtual void progressed(const TrainingProgress&) {}
  virtual void warned(const std::string&) {}
  virtual void writing() {}
};

/// Trains to the end, or until a stop is requested, and writes the model into its folder, which
/// must hold none.
TrainingResult run(const TrainingRequest& request, TrainingObserver& observer,
                   std::stop_token stop = {});

/// What resuming a training may change.
struct TrainingChanges {
  std::optional<int> iterations = {}, threads = {}, samples = {};
  std::optional<double> checkpoint_every = {};
};
/// Goes on with the training in `folder`: the model is the same, bit for bit, as without a break.
TrainingResult resume_training(const std::filesystem::path& folder, const TrainingChanges& changes,
                               TrainingObserver& observer, std::stop_token stop = {});

}  // namespace unmar
