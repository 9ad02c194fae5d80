#pragma once

#include "fit/running_average.h"
#include "fit/state.h"
#include "unmar/fit/fit.h"

namespace unmar {

/// An iterate that may be returned: its picture and, if wanted, the state after it. Both are copied
/// as late as can be: a stopper that takes each iterate for the best so far then copies no average.
class Choice {
 public:
  /// Chooses `iteration`. `out` is its picture, or nullptr to take the running average as it is
  /// now.
  void take(int iteration, const Tensor* out) {
    iteration_ = iteration;
    average_pending_ = !out;
    state_pending_ = true;
    if (out) copy(*out);
  }
  /// Before the running average changes.
  void keep_picture(const RunningAverage& average) {
    if (average_pending_) copy(average.value());
    average_pending_ = false;
  }
  /// Before the program changes its state.
  void keep_state(const Program& program, bool wanted) {
    if (state_pending_ && wanted) state_ = program.state();
    state_pending_ = false;
  }

  void serialize(Archive& archive, const Shape& picture) {
    archive(iteration_, picture_, average_pending_, state_pending_);
    archive.require(picture_.empty() || picture_.shape() == picture,
                    "it is of a picture of another size");
    unmar::serialize(archive, state_);
  }

  int iteration() const { return iteration_; }  ///< -1: none yet
  Tensor take_picture() { return std::move(picture_); }
  TrainState take_state() { return std::move(state_); }

 private:
  void copy(const Tensor& picture) {
    if (picture_.shape() != picture.shape()) picture_ = Tensor(picture.shape());
    copy_values(picture, picture_);
  }

  int iteration_ = -1;
  Tensor picture_;
  TrainState state_;
  bool average_pending_ = false, state_pending_ = false;
};

}  // namespace unmar
