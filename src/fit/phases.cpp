#include "unmar/fit/phases.h"

#include <numeric>
#include <utility>

#include "fit/state.h"
#include "unmar/base/error.h"

namespace unmar {
namespace {

/// What iteration `iteration` of a fit is when those before it had `before`; -1 is none.
int counted_through(int iteration, int before) { return iteration < 0 ? -1 : iteration + before; }

HistoryRow counted_through(HistoryRow row, int before) {
  row.iteration += before;
  for (WatchedRow& watched : row.watched) watched.best = counted_through(watched.best, before);
  return row;
}

class Phases {
 public:
  Phases(std::span<const FitPhase> phases, const FitPartFunction& fit_part,
         const std::function<void(const FitProgress&)>& on_iteration)
      : phases_(phases), fit_part_(fit_part), on_iteration_(on_iteration) {
    for (const FitPhase& phase : phases) count_ += phase.fits;
  }

  FitResult go(std::string_view resume) {
    std::string_view rest;
    if (!resume.empty()) rest = load(resume);
    bool cancelled = false;
    while (!cancelled && part() < count_) {
      if (in_phase_ == phase().fits) next_phase();
      FitResult one = next(rest);
      rest = {};
      cancelled = one.stopped_by == StoppedBy::cancelled;
      add(std::move(one));
    }
    return finish();
  }

 private:
  const FitPhase& phase() const { return phases_[static_cast<std::size_t>(phase_)]; }
  int part() const { return before_phase_ + in_phase_; }
  bool is_sum() const { return phase().combine == Combine::sum; }
  bool has_next_phase() const { return phase_ + 1 < static_cast<int>(phases_.size()); }

  void next_phase() {
    before_phase_ += in_phase_;
    ++phase_;
    in_phase_ = 0;
    moment_ = -1;
    weights_ = std::move(all_.state.params);
    all_.state = {};
  }

  /// One fit. Stopped before it has a picture, it is a fit of no iterations behind those before.
  FitResult next(std::string_view resume) {
    FitPart which{.phase = phase_,
                  .fit = in_phase_,
                  .sum = is_sum() && in_phase_ > 0 ? &picture_ : nullptr,
                  .moment = moment_,
                  .weights = phase_ > 0 ? &weights_ : nullptr,
                  .return_state = has_next_phase()};
    for (;; resume = {}) {
      which.attempt = attempt_;
      try {
        return fit_part_(
            which, [this](const FitProgress& progress) { report(progress); }, resume);
      } catch (const Error& error) {
        const bool diverged = error.code() == ErrorCode::numeric && !telling_;
        if (diverged && attempt_ + 1 < phase().attempts) {
          give_up_attempt();
          continue;
        }
        if (error.code() != ErrorCode::cancelled || part() == 0) throw;
      }
      FitResult none;
      none.stopped_by = StoppedBy::cancelled;
      return none;
    }
  }

  void give_up_attempt() {
    for (auto row = all_.history.begin() + all_.iterations; row != all_.history.end(); ++row)
      row->rolled_back = true;
    all_.iterations = static_cast<int>(all_.history.size());
    all_.seconds += std::exchange(attempt_seconds_, 0);
    ++attempt_;
  }

  void report(const FitProgress& one) {
    if (!one.cancelled) {
      all_.history.push_back(counted_through(one.row, all_.iterations));
      all_.history.back().part = part();
    }
    attempt_seconds_ = one.seconds;
    if (!on_iteration_) return;
    int later = 0;
    for (std::size_t p = static_cast<std::size_t>(phase_) + 1; p < phases_.size(); ++p)
      later += phases_[p].fits * phases_[p].iterations;
    telling_ = true;
    on_iteration_(
        {.row = all_.history.back(),
         .iterations = all_.iterations + (phase().fits - in_phase_) * one.iterations + later,
         .seconds = all_.seconds + one.seconds,
         .best_iteration = one.best_iteration + all_.iterations,
         .restored = one.restored,
         .average = one.average,
         .save_to = [&](Archive& archive) { save(archive, one); },
         .phase = phase().name,
         .part = part(),
         .parts = count_,
         .cancelled = one.cancelled});
    telling_ = false;
  }

  void add(FitResult one) {
    const int before = all_.iterations;
    for (Watched& watched : one.watched) {
      watched.best_iteration = counted_through(watched.best_iteration, before);
      watched.stopped_at = counted_through(watched.stopped_at, before);
    }
    all_.iterations += one.iterations;
    all_.seconds += one.seconds;
    attempt_ = 0;
    attempt_seconds_ = 0;
    all_.stopper_seconds += one.stopper_seconds;
    all_.rollbacks += one.rollbacks;
    all_.parts.push_back({.phase = phase().name,
                          .iterations = one.iterations,
                          .best_iteration = one.best_iteration + before,
                          .final_loss = one.final_loss});
    const bool cut = one.stopped_by == StoppedBy::cancelled;
    if (in_phase_ == 0 && one.iterations > 0) {
      moment_ = one.best_iteration;
      by_rule_ = one.stopped_by == StoppedBy::stopper;
    }
    all_.stopped_by = cut        ? StoppedBy::cancelled
                      : by_rule_ ? StoppedBy::stopper
                                 : StoppedBy::iterations;
    if (cut && (in_phase_ > 0 || one.iterations == 0 || is_sum())) return;
    if (in_phase_ == 0 || phase().combine != Combine::least || one.final_loss < all_.final_loss)
      take(std::move(one), before);
    ++in_phase_;
  }

  /// Of the phase, so far.
  void take(FitResult one, int before) {
    all_.best_iteration = one.best_iteration + before;
    all_.final_loss = one.final_loss;
    all_.state = std::move(one.state);
    all_.param_names = std::move(one.param_names);
    all_.memory_bytes = one.memory_bytes;
    all_.watched = std::move(one.watched);
    all_.last = std::move(one.last);
    if (in_phase_ == 0 || phase().combine == Combine::least) {
      picture_ = std::move(one.best);
      return;
    }
    for (std::size_t i = 0; i < picture_.count(); ++i) picture_.data()[i] += one.best.data()[i];
  }

  FitResult finish() {
    if (!is_sum() || in_phase_ == phase().fits) all_.best = std::move(picture_);
    all_.runs = phase().combine == Combine::mean ? std::max(in_phase_, 1) : 1;
    if (all_.runs > 1)
      for (float& v : all_.best.values()) v /= static_cast<float>(all_.runs);
    return std::move(all_);
  }

  /// The state of the fit that goes on comes last.
  void save(Archive& archive, const FitProgress& one) {
    serialize(archive);
    one.save_to(archive);
  }

  /// Returns the state of the fit that was going on.
  std::string_view load(std::string_view bytes) {
    Archive archive(bytes, "fit: the state to resume");
    serialize(archive);
    const std::string_view state = archive.take_rest();
    archive.require(!state.empty(), "no fit goes on");
    return state;
  }

  void serialize(Archive& archive) {
    archive(phase_, in_phase_, attempt_, moment_, by_rule_, picture_, weights_, all_.state.params,
            all_.iterations, all_.seconds, all_.stopper_seconds, all_.rollbacks,
            all_.best_iteration, all_.final_loss, all_.history, all_.parts);
    archive.require(phase_ >= 0 && phase_ < static_cast<int>(phases_.size()) && in_phase_ >= 0 &&
                        in_phase_ < phase().fits && attempt_ >= 0 && attempt_ < phase().attempts,
                    "it is of another list of fits (`runs`)");
    before_phase_ =
        std::accumulate(phases_.begin(), phases_.begin() + phase_, 0,
                        [](int sum, const FitPhase& phase) { return sum + phase.fits; });
    archive.require(picture_.empty() == (part() == 0), "the picture and the number of fits differ");
    archive.require(in_phase_ == 0 ? moment_ == -1 : moment_ >= 0,
                    "the moment that the first fit of its phase chose is missing");
    archive.require(all_.iterations >= part() &&
                        all_.history.size() > static_cast<std::size_t>(all_.iterations),
                    "the history lacks rows of iterations");
  }

  const std::span<const FitPhase> phases_;
  const FitPartFunction& fit_part_;
  const std::function<void(const FitProgress&)>& on_iteration_;
  int count_ = 0;                 ///< of all fits
  int phase_ = 0, in_phase_ = 0;  ///< in_phase_: done
  int before_phase_ = 0;          ///< fits of the phases before
  int attempt_ = 0;               ///< at the fit that goes on
  double attempt_seconds_ = 0;    ///< that it has taken
  bool telling_ = false;          ///< what on_iteration throws is no matter of the fit
  int moment_ = -1;               ///< that the first fit of this phase chose
  bool by_rule_ = false;          ///< ended that
  Tensor picture_;                ///< mean: the sum of those of this phase
  std::vector<Tensor> weights_;   ///< of the phase before
  FitResult all_;                 ///< history: that of the fit that goes on, too
};

}  // namespace

FitResult fit_phases(std::span<const FitPhase> phases, const FitPartFunction& fit_part,
                     const std::function<void(const FitProgress&)>& on_iteration,
                     std::string_view resume) {
  return Phases(phases, fit_part, on_iteration).go(resume);
}

}  // namespace unmar
