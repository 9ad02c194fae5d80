#pragma once

#include "unmar/fit/fit.h"

namespace unmar {

/// Finds the first minimum of a signal that `patience` later values confirm, and stays with it.
class Valley {
 public:
  /// throws Error{bad_argument} naming `where` unless patience >= 1 and min_start >= 0.
  Valley(int patience, int min_start, const char* where);
  Stopper::Verdict observe(int iteration, double value);
  /// Call when there is no value: an ended search says so again.
  Stopper::Verdict idle() const { return {false, ended_}; }
  void serialize(Archive& archive) { archive(found_, ended_, lowest_, waited_); }

 private:
  int patience_, min_start_;
  bool found_ = false, ended_ = false;
  double lowest_ = 0;
  int waited_ = 0;
};

}  // namespace unmar
