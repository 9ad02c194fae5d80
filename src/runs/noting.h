#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "unmar/base/process.h"
#include "unmar/runs/refine_run.h"
#include "unmar/runs/run.h"
#include "unmar/runs/training.h"

/// Observers that pass on to the user's what a job tells, and note how far it is.
namespace unmar::runs {

/// How far a job is: see JobInfo.
using Note =
    std::function<void(int done, int all, double seconds, const std::optional<double>& psnr)>;

class NotingObserver : public RunObserver {
 public:
  NotingObserver(RunObserver* other, Note note) : other_(other), note_(std::move(note)) {}

  void started(const RunStart& start) override { call(&RunObserver::started, start); }
  void filtered(double share) override { call(&RunObserver::filtered, share); }
  void first_result(const Candidate& first, bool written) override {
    call(&RunObserver::first_result, first, written);
  }
  void progressed(const FitProgress& progress) override {
    const HistoryRow& row = progress.row;
    note_(row.iteration + 1, progress.iterations, progress.seconds,
          row.psnr_average ? row.psnr_average : row.psnr);
    call(&RunObserver::progressed, progress);
  }
  void tiled(const TileProgress& progress) override {
    note_(progress.done, progress.all, progress.seconds, std::nullopt);
    call(&RunObserver::tiled, progress);
  }
  void warned(const std::string& text) override { call(&RunObserver::warned, text); }
  void writing() override { call(&RunObserver::writing); }
  void finished(const FitRequest& request, const RunResult& result) override {
    call(&RunObserver::finished, request, result);
  }

 private:
  template <class Function, class... Args>
  void call(Function function, const Args&... args) {
    if (other_) (other_->*function)(args...);
  }

  RunObserver* other_;
  Note note_;
};

class NotingRefineObserver : public RefineObserver {
 public:
  NotingRefineObserver(RefineObserver* other, Note note) : other_(other), note_(std::move(note)) {}

  void started(const RefineRequest& request, bool has_checkpoint) override {
    if (other_) other_->started(request, has_checkpoint);
  }
  void progressed(const FitProgress& progress) override {
    fit_seconds_ = progress.seconds;
    note_(progress.row.iteration + 1, progress.iterations, progress.seconds,
          progress.row.psnr_average ? progress.row.psnr_average : progress.row.psnr);
    if (other_) other_->progressed(progress);
  }
  void chain_started(const Refined& refined) override {
    chain_ = Clock::now();
    if (other_) other_->chain_started(refined);
  }
  void stepped(const SampleProgress& progress) override {
    note_(progress.done, progress.steps, fit_seconds_ + seconds_since(chain_), std::nullopt);
    if (other_) other_->stepped(progress);
  }
  void tiles_started(const RefineRequest& request, const RunStart& start) override {
    if (other_) other_->tiles_started(request, start);
  }
  void tiled(const TileProgress& progress) override {
    note_(progress.done, progress.all, progress.seconds, std::nullopt);
    if (other_) other_->tiled(progress);
  }
  void warned(const std::string& text) override {
    if (other_) other_->warned(text);
  }
  void writing() override {
    if (other_) other_->writing();
  }
  void finished(const RefineRequest& request, const RefineRunResult& result) override {
    if (other_) other_->finished(request, result);
  }

 private:
  RefineObserver* other_;
  Note note_;
  double fit_seconds_ = 0;
  Clock::time_point chain_ = Clock::now();
};

class NotingTrainingObserver : public TrainingObserver {
 public:
  NotingTrainingObserver(TrainingObserver* other, Note note)
      : other_(other), note_(std::move(note)) {}

  void started(const TrainingStart& start) override {
    if (other_) other_->started(start);
  }
  void progressed(const TrainingProgress& progress) override {
    note_(static_cast<int>(progress.iteration) + 1, progress.iterations, progress.seconds,
          std::nullopt);
    if (other_) other_->progressed(progress);
  }
  void warned(const std::string& text) override {
    if (other_) other_->warned(text);
  }
  void writing() override {
    if (other_) other_->writing();
  }

 private:
  TrainingObserver* other_;
  Note note_;
};

}  // namespace unmar::runs
