#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace unmar::cli {

/// What the command line asks for; run after it was read to its end. Returns the exit code.
using Action = std::function<int()>;

// Each adds its sub-commands to the program; the one that is given sets `chosen`.
void add_restore_commands(CLI::App& program, Action& chosen);  ///< one for each task
void add_refine_command(CLI::App& program, Action& chosen);
void add_resume_command(CLI::App& program, Action& chosen);
void add_pick_command(CLI::App& program, Action& chosen);
void add_degrade_command(CLI::App& program, Action& chosen);
void add_compare_command(CLI::App& program, Action& chosen);
void add_compare_priors_command(CLI::App& program, Action& chosen);
void add_sheet_command(CLI::App& program, Action& chosen);
void add_networks_command(CLI::App& program, Action& chosen);
void add_profile_command(CLI::App& program, Action& chosen);
void add_ddpm_commands(CLI::App& program, Action& chosen);
void add_ddpm_train_command(CLI::App& ddpm, Action& chosen);
void add_ddpm_sample_command(CLI::App& ddpm, Action& chosen);
void add_gan_commands(CLI::App& program, Action& chosen);
void add_gan_train_command(CLI::App& gan, Action& chosen);
void add_gan_sample_command(CLI::App& gan, Action& chosen);
void add_jobs_commands(CLI::App& program, Action& chosen);  ///< plan, work, join, slurm
/// "plan [--task TASK] JOBFILE ..." as "TASK ... --plan JOBFILE", denoise if nothing is said.
/// arguments: without the program's name. Others come back as they are.
std::vector<std::string> without_plan(std::vector<std::string> arguments);
void add_info_commands(CLI::App& program, Action& chosen);  ///< info, and options for the docs

}  // namespace unmar::cli
