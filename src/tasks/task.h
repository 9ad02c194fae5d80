#pragma once

#include "tasks/estimate.h"
#include "tasks/plan.h"

namespace unmar {

/// A row of the table of tasks: all that the code around the tasks has to know of one. Each task's
/// own file makes its row. Functions that may be null say so.
struct TaskSpec {
  Task task;
  TaskInfo info;

  // The presets: what differs from the defaults that all tasks share. `given` holds what is known
  // of the damage.
  void (*quick)(RestoreOptions&, const RestoreOptions& given);
  void (*best)(RestoreOptions&, const RestoreOptions& given);  ///< beyond quick; null: nothing
  void (*paper)(RestoreOptions&, const RestoreOptions& given);
  /// Of quick and best with --prior dip; all else is the fit alone. Empty: there is no choice.
  std::optional<Method> method = {};

  /// throws Error{bad_argument} for options that the task cannot work with; null: there are none.
  void (*check)(const RestoreOptions& given) = nullptr;
  /// What to choose differently for these pictures; null: nothing. See suit_hole().
  RestoreOptions (*suit)(const RestoreOptions& given, const RestoreOptions& resolved,
                         const Image& observed, const Image* mask) = nullptr;
  Plan (*plan)(const Image& observed, const Image* mask, const RestoreOptions& resolved);
  /// The operator that memory is counted with, before there is a plan; null: the identity. A mask
  /// costs a picture more.
  std::unique_ptr<Operator> (*counted)(const RestoreOptions& resolved) = nullptr;
  /// How many times larger than the given picture the result is; null: as large.
  int (*enlargement)(const RestoreOptions& resolved) = nullptr;
  /// y is a picture with noise and nothing else.
  bool only_noise = false;

  /// The error of a prior, see estimate_error(); null: the task cannot be refined.
  ErrorEstimate (*error)(const Plan& plan, const RestoreOptions& resolved, const Image& prior,
                         const FitResult* fit) = nullptr;
};

TaskSpec denoise_task();
TaskSpec inpaint_task();
TaskSpec upscale_task();
TaskSpec deblur_task();

const TaskSpec& task_spec(Task task);  ///< throws Error{bad_argument}
/// How many times larger than the given picture the result is.
int enlargement_of(Task task, const RestoreOptions& resolved);

}  // namespace unmar
