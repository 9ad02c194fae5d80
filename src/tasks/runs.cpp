#include "tasks/runs.h"

#include <utility>

#include "fit/state.h"
#include "unmar/base/error.h"
#include "unmar/tensor/archive.h"

namespace unmar {
namespace {

/// What run `iteration` of a fit is when the runs before had `before` iterations; -1 is none.
int counted_through(int iteration, int before) { return iteration < 0 ? -1 : iteration + before; }

HistoryRow counted_through(HistoryRow row, int before) {
  row.iteration += before;
  for (WatchedRow& watched : row.watched) watched.best = counted_through(watched.best, before);
  return row;
}

class Runs {
 public:
  Runs(int runs, const FitRun& fit_run, const std::function<void(const FitProgress&)>& on_iteration)
      : runs_(runs), fit_run_(fit_run), on_iteration_(on_iteration) {}

  FitResult go(std::string_view resume) {
    std::string_view rest;
    if (!resume.empty()) rest = load(resume);
    bool cancelled = false;
    while (done_ < runs_ && !cancelled) {
      FitResult one = next(rest);
      rest = {};
      cancelled = one.stopped_by == StoppedBy::cancelled;
      add(std::move(one));
    }
    return finish();
  }

 private:
  /// One run. Stopped before it has a picture, it is a run of no iterations behind those before.
  FitResult next(std::string_view resume) {
    try {
      return fit_run_(
          done_, moment_, [this](const FitProgress& progress) { report(progress); }, resume);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::cancelled || done_ == 0) throw;
    }
    FitResult none;
    none.stopped_by = StoppedBy::cancelled;
    return none;
  }

  void report(const FitProgress& one) {
    if (!on_iteration_) return;
    if (runs_ == 1) {
      FitProgress same = one;
      same.save_to = [&](Archive& archive) { save(archive, one); };
      on_iteration_(same);
      return;
    }
    const HistoryRow row = counted_through(one.row, all_.iterations);
    on_iteration_({row, all_.iterations + (runs_ - done_) * one.iterations,
                   all_.seconds + one.seconds, one.best_iteration + all_.iterations, one.restored,
                   one.average, [&](Archive& archive) { save(archive, one); }, done_, runs_,
                   one.cancelled});
  }

  void add(FitResult one) {
    const bool dropped = done_ > 0 && one.stopped_by == StoppedBy::cancelled;
    const int before = all_.iterations;
    for (HistoryRow& row : one.history)
      all_.history.push_back(counted_through(std::move(row), before));
    for (Watched& watched : one.watched) {
      watched.best_iteration = counted_through(watched.best_iteration, before);
      watched.stopped_at = counted_through(watched.stopped_at, before);
    }
    all_.iterations += one.iterations;
    all_.seconds += one.seconds;
    all_.stopper_seconds += one.stopper_seconds;
    all_.rollbacks += one.rollbacks;
    if (done_ == 0) {
      moment_ = one.best_iteration;
      by_rule_ = one.stopped_by == StoppedBy::stopper;
    }
    all_.stopped_by = by_rule_ ? StoppedBy::stopper : StoppedBy::iterations;
    if (one.stopped_by == StoppedBy::cancelled) all_.stopped_by = StoppedBy::cancelled;
    if (dropped) return;
    all_.best_iteration = one.best_iteration + before;
    all_.final_loss = one.final_loss;
    all_.state = std::move(one.state);
    all_.memory_bytes = one.memory_bytes;
    all_.watched = std::move(one.watched);
    all_.last = std::move(one.last);
    add_picture(std::move(one.best));
    ++done_;
  }

  void add_picture(Tensor picture) {
    if (sum_.empty()) {
      sum_ = std::move(picture);
      return;
    }
    for (std::size_t i = 0; i < sum_.count(); ++i) sum_.data()[i] += picture.data()[i];
  }

  FitResult finish() {
    all_.best = std::move(sum_);
    all_.runs = done_;
    if (done_ > 1)
      for (float& v : all_.best.values()) v /= static_cast<float>(done_);
    return std::move(all_);
  }

  /// The state of the fit that goes on comes last.
  void save(Archive& archive, const FitProgress& one) {
    serialize(archive);
    one.save_to(archive);
  }

  /// Returns the state of the fit that was going on.
  std::string_view load(std::string_view bytes) {
    Archive archive(bytes, "restore: the state to resume");
    serialize(archive);
    const std::string_view state = archive.take_rest();
    archive.require(!state.empty(), "no fit goes on");
    return state;
  }

  void serialize(Archive& archive) {
    archive(done_, moment_, by_rule_, sum_, all_.iterations, all_.seconds, all_.stopper_seconds,
            all_.rollbacks, all_.best_iteration, all_.history);
    archive.require(done_ >= 0 && done_ < runs_, "it has another number of `runs`");
    archive.require(sum_.empty() == (done_ == 0), "the mean and the number of runs do not agree");
    archive.require(done_ == 0 ? moment_ == -1 : moment_ >= 0,
                    "the moment that the first of `runs` chose is missing");
    const auto rows = static_cast<std::size_t>(all_.iterations);
    archive.require(all_.iterations >= done_ && all_.history.size() == rows,
                    "the history has not one row per iteration");
  }

  const int runs_;
  const FitRun& fit_run_;
  const std::function<void(const FitProgress&)>& on_iteration_;
  int done_ = 0;
  int moment_ = -1;       ///< that the first run chose
  bool by_rule_ = false;  ///< ended it
  Tensor sum_;            ///< of the results of the runs that are done
  FitResult all_;         ///< of those
};

}  // namespace

FitResult fit_runs(int runs, const FitRun& fit_run,
                   const std::function<void(const FitProgress&)>& on_iteration,
                   std::string_view resume) {
  return Runs(runs, fit_run, on_iteration).go(resume);
}

}  // namespace unmar
