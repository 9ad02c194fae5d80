#include <CLI/CLI.hpp>

#include "commands.h"

namespace unmar::cli {

void add_ddpm_commands(CLI::App& program, Action& chosen) {
  CLI::App* ddpm = program.add_subcommand(
      "ddpm",
      "Train a diffusion model on many pictures, or draw new ones with it (DDPM)\n\n"
      "Models are folders as Python's diffusers has them (UNet2DModel, DDPMScheduler).");
  ddpm->require_subcommand(1);
  ddpm->footer(
      "Examples:\n"
      "  unmar ddpm sample -n 16 -o sheet.png\n"
      "  unmar ddpm train pictures/ -o model\n"
      "  unmar ddpm sample model -n 16 -o sheet.png");
  add_ddpm_train_command(*ddpm, chosen);
  add_ddpm_sample_command(*ddpm, chosen);
}

}  // namespace unmar::cli
