#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "unmar/base/process.h"
#include "unmar/data/dataset.h"
#include "unmar/image/image.h"
#include "unmar/runs/store.h"
#include "unmar/runs/training.h"
#include "unmar/tensor/archive.h"

namespace unmar::runs {

/// A model that learns, as the life of its training sees it.
class Learner {
 public:
  virtual ~Learner() = default;
  virtual std::int64_t updates() const = 0;
  /// One more; pictures [batch,c,h,w] in [-1,1].
  virtual void update(const Tensor& pictures) = 0;
  virtual std::size_t param_count() const = 0;
  virtual std::size_t memory_bytes() const = 0;
  virtual double recent_loss() const = 0;  ///< mean of the last hundred updates; 0 before any
  virtual std::optional<GanUpdate> recent_game() const { return std::nullopt; }
  virtual std::vector<std::string> signs() const { return {}; }  ///< of failure, to warn of once
  virtual void write_model(const std::filesystem::path& folder) const = 0;
  virtual std::string curve() const = 0;  ///< loss.csv
  virtual Image sheet() const = 0;        ///< of samples
  virtual void save(Archive& archive) const = 0;
  virtual void load(Archive& archive) = 0;
};

/// What the life of a training has to know of what was asked for.
struct LifeOptions {
  const char* command;  ///< "ddpm train"
  const char* network;  ///< "U-Net"
  std::filesystem::path images, output;
  int iterations, samples, batch;
  bool flip;
  std::uint64_t seed;
  double checkpoint_every;
  std::string record;  ///< training.json
};

/// Trains in a folder of its own, or goes on there, until the last iteration or a stop.
TrainingResult live(const LifeOptions& options, bool resumed, Dataset pictures, Learner& learner,
                    TrainingObserver& observer, std::stop_token stop);

std::string sha256_of(const Dataset& pictures);
/// throws Error{bad_input} if these are not the pictures that a training began with.
void require_same(const Dataset& pictures, const std::string& sha256,
                  const std::filesystem::path& images);
/// A training's record that is there and of this version. throws Error{bad_input} if `folder` holds
/// none, Error{unsupported} if it is of another version.
void require_training(const TrainingFolder& folder);
void require_version(const TrainingFolder& folder, const std::string& version);
/// Where the pictures lie now, if they were moved along with the training.
std::filesystem::path found_again(const std::filesystem::path& images,
                                  const std::filesystem::path& folder, TrainingObserver& observer);

/// Applies what resuming may change.
template <class Request>
void apply(const TrainingChanges& changes, Request& request) {
  request.iterations = changes.iterations.value_or(request.iterations);
  request.samples = changes.samples.value_or(request.samples);
  request.checkpoint_every = changes.checkpoint_every.value_or(request.checkpoint_every);
  request.threads = changes.threads.value_or(0);
}

}  // namespace unmar::runs
