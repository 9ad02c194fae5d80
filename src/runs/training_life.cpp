#include "runs/training_life.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/fail.h"
#include "runs/moved.h"
#include "unmar/base/checksum.h"
#include "unmar/base/files.h"
#include "unmar/tasks/version.h"

namespace unmar::runs {
namespace {

namespace fs = std::filesystem;

/// One training from its pictures to its model.
class TrainingLife {
 public:
  TrainingLife(const LifeOptions& options, Dataset pictures, Learner& learner,
               TrainingObserver& observer, std::stop_token stop)
      : o_(options),
        learner_(learner),
        observer_(observer),
        stop_(std::move(stop)),
        folder_{options.output},
        batches_(std::move(pictures),
                 BatchOptions{.batch = o_.batch, .flip = o_.flip, .seed = o_.seed}) {}

  void begin() {
    std::error_code error;
    if (fs::exists(folder_.record(), error))
      fail(ErrorCode::bad_argument,
           "{}: '{}' holds a training already; go on with it by `resume`, or choose another folder",
           o_.command, folder_.path.string());
    if (fs::exists(folder_.path / "config.json", error))
      fail(ErrorCode::bad_argument, "{}: '{}' holds a model already; choose another folder",
           o_.command, folder_.path.string());
    prepare_folder(folder_.path, "`output`");
    lock_.emplace(folder_.path, o_.command);
    write_text(folder_.record(), o_.record, "`output`");
  }

  void load() {
    lock_.emplace(folder_.path, o_.command);
    remove_remains(folder_.path);
    std::error_code error;
    if (fs::exists(folder_.checkpoint(), error)) {
      const Checkpoint checkpoint(folder_.checkpoint(), "`resume`");
      Archive archive(checkpoint.payload(),
                      fmt::format("`resume`: '{}'", folder_.checkpoint().string()));
      archive(earlier_seconds_);
      learner_.load(archive);
      archive.expect_end();
    }
    if (learner_.updates() >= o_.iterations)
      fail(ErrorCode::bad_argument,
           "`resume`: the training in '{}' is finished, after {} iterations; give more "
           "`iterations` to go on",
           folder_.path.string(), learner_.updates());
    write_text(folder_.record(), o_.record, "`resume`");  // with the new --iterations
  }

  TrainingResult go() {
    announce();
    last_checkpoint_ = Clock::now();
    while (learner_.updates() < o_.iterations && !stop_.stop_requested()) update();
    observer_.writing();
    save();
    return {.iterations = learner_.updates(),
            .seconds = seconds(),
            .loss = learner_.recent_loss(),
            .game = learner_.recent_game(),
            .whole = learner_.updates() >= o_.iterations};
  }

 private:
  void announce() const {
    const Dataset& pictures = batches_.dataset();
    if (pictures.left_out > 0)
      observer_.warned(
          fmt::format("{} files of '{}' cannot be read and are left out, the first: {}",
                      pictures.left_out, o_.images.string(), pictures.why));
    observer_.started({.output = o_.output,
                       .network = o_.network,
                       .iterations = o_.iterations,
                       .batch = o_.batch,
                       .pictures = pictures.count(),
                       .width = pictures.width,
                       .height = pictures.height,
                       .channels = pictures.channels,
                       .parameters = learner_.param_count(),
                       .memory_bytes = learner_.memory_bytes(),
                       .done = learner_.updates()});
  }

  void update() {
    const std::int64_t number = learner_.updates();
    learner_.update(batches_.at(number));
    observer_.progressed(
        {number, o_.iterations, seconds(), learner_.recent_loss(), learner_.recent_game()});
    tell_signs();
    const bool due = seconds_since(last_checkpoint_) >= o_.checkpoint_every;
    const bool drawn = o_.samples > 0 && (number + 1) % o_.samples == 0;
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

  /// Each of them once.
  void tell_signs() {
    for (const std::string& sign : learner_.signs()) {
      if (std::ranges::find(told_, sign) != told_.end()) continue;
      observer_.warned(fmt::format("after {} iterations: {}", learner_.updates(), sign));
      told_.push_back(sign);
    }
  }

  double seconds() const { return earlier_seconds_ + seconds_since(start_); }

  void draw_sheet(std::int64_t iterations) const {
    prepare_folder(folder_.samples(), "`samples`");
    write_image(folder_.samples() / fmt::format("iteration_{:06}.png", iterations),
                learner_.sheet());
  }

  /// The checkpoint last: what it goes on from is never older than the rest.
  void save() {
    learner_.write_model(folder_.path);
    write_text(folder_.losses(), learner_.curve(), "`output`");
    double so_far = seconds();
    write_checkpoint(folder_.checkpoint(), "`output`", [&](Archive& archive) {
      archive(so_far);
      learner_.save(archive);
    });
    last_checkpoint_ = Clock::now();
  }

  const LifeOptions& o_;
  Learner& learner_;
  TrainingObserver& observer_;
  const std::stop_token stop_;
  const TrainingFolder folder_;
  Batches batches_;
  std::optional<FolderLock> lock_;
  const Clock::time_point start_ = Clock::now();
  double earlier_seconds_ = 0;  ///< before the interruption
  Clock::time_point last_checkpoint_;
  bool warned_ = false;
  std::vector<std::string> told_;
};

}  // namespace

TrainingResult live(const LifeOptions& options, bool resumed, Dataset pictures, Learner& learner,
                    TrainingObserver& observer, std::stop_token stop) {
  TrainingLife life(options, std::move(pictures), learner, observer, std::move(stop));
  if (resumed)
    life.load();
  else
    life.begin();
  return life.go();
}

std::string sha256_of(const Dataset& pictures) {
  return sha256({reinterpret_cast<const char*>(pictures.samples.data()), pictures.samples.size()});
}

void require_same(const Dataset& pictures, const std::string& sha256, const fs::path& images) {
  if (sha256_of(pictures) != sha256)
    fail(ErrorCode::bad_input,
         "`resume`: the pictures of '{}' are not those that the training began with; put those "
         "back, or begin anew",
         images.string());
}

void require_training(const TrainingFolder& folder) {
  std::error_code error;
  if (!fs::exists(folder.record(), error))
    fail(ErrorCode::bad_input, "`resume`: '{}' {}; give the folder that `output` named",
         folder.path.string(),
         fs::is_directory(folder.path, error) ? "holds no training (no training.json)"
                                              : "is not a folder");
}

void require_version(const TrainingFolder& folder, const std::string& begun_by) {
  if (begun_by != version())
    fail(ErrorCode::unsupported,
         "`resume`: the training in '{}' was begun by unmar {}, this is {}; go on with the version "
         "that began it",
         folder.path.string(), begun_by, version());
}

fs::path found_again(const fs::path& images, const fs::path& folder, TrainingObserver& observer) {
  std::error_code error;
  if (fs::exists(images, error)) return images;
  // Whether they are the same pictures is seen once they are read.
  const auto moved = moved_along(images, folder, [](const fs::path&) { return true; });
  if (!moved) return images;
  observer.warned(
      fmt::format("the pictures '{}' are gone; trying '{}'", images.string(), moved->now.string()));
  return moved->now;
}

}  // namespace unmar::runs
