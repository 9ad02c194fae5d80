#include "tasks/task.h"

#include "base/fail.h"
#include "base/list_with_or.h"

namespace unmar {
namespace {

const std::vector<TaskSpec>& specs() {
  static const std::vector<TaskSpec> table = {denoise_task(), inpaint_task(), upscale_task(),
                                              deblur_task()};
  return table;
}

}  // namespace

const TaskSpec& task_spec(Task task) {
  for (const TaskSpec& spec : specs())
    if (spec.task == task) return spec;
  fail(ErrorCode::bad_argument, "restore: unknown task");
}

int enlargement_of(Task task, const RestoreOptions& resolved) {
  const auto enlargement = task_spec(task).enlargement;
  return enlargement ? enlargement(resolved) : 1;
}

const TaskInfo& task_info(Task task) { return task_spec(task).info; }

const std::vector<Task>& all_tasks() {
  static const std::vector<Task> tasks = [] {
    std::vector<Task> list;
    for (const TaskSpec& spec : specs()) list.push_back(spec.task);
    return list;
  }();
  return tasks;
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const TaskSpec& spec : specs()) names.emplace_back(spec.info.name);
  return names;
}

const char* to_string(Task task) { return task_info(task).name; }

Task task_named(std::string_view name) {
  for (const TaskSpec& spec : specs())
    if (name == spec.info.name) return spec.task;
  fail(ErrorCode::bad_argument, "'{}' is no task; take {}", name, list_with_or(task_names()));
}

}  // namespace unmar
