#include "fit/rollback.h"

namespace unmar {

Rollback::Rollback(const FitOptions& options, const Shape& picture)
    : drop_(static_cast<double>(options.rollback_db)), every_(options.rollback_every) {
  if (on()) average_.emplace(picture, options.average);
}

// A candidate that spiked is replaced here: until a snapshot is taken, it stays due.
void Rollback::before_step(int iteration, const Program& program) {
  if (on() && (!state_ || iteration - iteration_ >= every_)) candidate_ = program.take_snapshot();
}

bool Rollback::spiked(double fidelity) const {
  return on() && can_undo() && undos_ < kMaxUndos && last_fidelity_ &&
         fidelity < *last_fidelity_ - drop_;
}

void Rollback::accept(int iteration, double fidelity, const RunningAverage& average) {
  last_fidelity_ = fidelity;
  if (!candidate_) return;
  state_ = std::move(candidate_);
  candidate_.reset();
  average_->assign(average);
  iteration_ = iteration;
  snapshot_fidelity_ = fidelity;
  undos_ = 0;
}

int Rollback::undo(Program& program, RunningAverage& average) {
  program.restore_snapshot(*state_);
  average.assign(*average_);
  last_fidelity_ = snapshot_fidelity_;
  ++undos_;
  return iteration_;
}

void Rollback::serialize(Archive& archive, Program& program) {
  std::optional<TrainState> state;
  if (state_) state = program.state_of(*state_);
  archive(state, iteration_, snapshot_fidelity_, last_fidelity_, undos_);
  archive.require(on() || !state, "it can roll back but this fit does not");
  if (archive.reading()) {
    const TrainState own = program.state();
    archive.require(!state || same_shapes(*state, own), "its snapshot is of another network");
    if (state) {
      program.restore(*state);
      state_ = program.take_snapshot();
      program.restore(own);
    }
  }
  if (state) archive(*average_);
}

}  // namespace unmar
