#include "base/fail.h"
#include "tasks/schema.h"
#include "unmar/observe/damage.h"
#include "unmar/runs/gan.h"
#include "unmar/runs/request.h"
#include "unmar/runs/samples.h"
#include "unmar/runs/training.h"
#include "unmar/tasks/refine.h"

namespace unmar {

std::string command_schema(std::string_view command) {
  const std::string name(command);
  if (name == "refine") return table_schema(name, refine_options());
  if (name == "ddpm train") return table_schema(name, training_options());
  if (name == "ddpm sample") return table_schema(name, sampling_options());
  if (name == "gan train") return table_schema(name, gan_training_options());
  if (name == "gan sample") return table_schema(name, gan_sampling_options());
  if (name == "degrade") return table_schema(name, damage_options());
  for (const Task task : all_tasks())
    if (name == to_string(task)) return options_schema(task);
  fail(ErrorCode::bad_argument,
       "options: there is no schema of '{}'; take denoise, inpaint, upscale, deblur, refine, "
       "degrade, ddpm train, ddpm sample, gan train or gan sample",
       command);
}

}  // namespace unmar
