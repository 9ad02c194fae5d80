#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tasks/blend.h"
#include "tasks/plan.h"
#include "unmar/fit/stages.h"

namespace unmar {

/// What --stop and --watch ask for, and what they want of the problem.
struct Stopping {
  std::unique_ptr<StagedTargets> targets;  ///< of --prior staged; outlives what judges it
  std::unique_ptr<Stopper> stopper;
  std::vector<std::pair<std::string, std::unique_ptr<Stopper>>> watchers;
  Hidden hidden;
  bool probes = false;  ///< ProblemOptions::keep_input
};

StageOptions stage_options(const RestoreOptions& resolved);

/// drawn: what to hide instead of drawing anew; null: that.
/// throws Error{bad_argument} for a rule that the task or the other options do not allow.
Stopping make_stopping(Task task, const Plan& plan, const RestoreOptions& resolved,
                       const Hidden* drawn = nullptr);

}  // namespace unmar
