#pragma once

#include <memory>
#include <optional>

#include "fit/running_average.h"
#include "fit/state.h"
#include "unmar/fit/fit.h"

namespace unmar {

/// Undoes loss spikes: Adam now and then makes a step that throws the network out of its valley.
///
/// Program::step tells the loss of the weights before its update, so only the step after a snapshot
/// shows whether the snapshot was any good. The state is therefore set aside before a step, and
/// becomes the snapshot when that step was no spike.
class Rollback {
 public:
  Rollback(const FitOptions& options, const Shape& picture);

  /// Before the step of `iteration`.
  void before_step(int iteration, const Program& program);

  /// After it, with the data fidelity in dB: is this a spike that undo() should be called for?
  /// After kMaxUndos from one snapshot it is accepted: the fit cannot get past it otherwise.
  bool spiked(double fidelity) const;
  bool can_undo() const { return state_ != nullptr; }

  /// After a step that stands. `average` is that of the iterates before it.
  void accept(int iteration, double fidelity, const RunningAverage& average);

  /// Back to the snapshot; returns the iteration that it was taken before.
  int undo(Program& program, RunningAverage& average);

  /// Between steps. Without the candidate: if there is one, before_step() replaces it.
  void serialize(Archive& archive, Program& program);

  static constexpr int kMaxUndos = 3;

 private:
  bool on() const { return drop_ > 0; }

  double drop_;
  int every_;
  std::shared_ptr<const Program::Snapshot> candidate_, state_;
  std::optional<RunningAverage> average_;  ///< of the snapshot
  int iteration_ = 0;                      ///< of the snapshot
  double snapshot_fidelity_ = 0;
  std::optional<double> last_fidelity_;  ///< of the iterate before this one
  int undos_ = 0;                        ///< since the snapshot was taken
};

}  // namespace unmar
