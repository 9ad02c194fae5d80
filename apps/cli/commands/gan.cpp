#include <CLI/CLI.hpp>

#include "commands.h"

namespace unmar::cli {

void add_gan_commands(CLI::App& program, Action& chosen) {
  CLI::App* gan = program.add_subcommand(
      "gan",
      "Train a generator on many pictures, or draw new ones with it (GAN)\n\n"
      "The networks are those of DCGAN (Radford et al., 2016). Sampling takes one pass of the "
      "generator,\n"
      "where 'unmar ddpm sample' takes dozens.");
  gan->require_subcommand(1);
  gan->footer(
      "Examples:\n"
      "  unmar gan sample -n 64 -o sheet.png\n"
      "  unmar gan train pictures/ -o my-gan\n"
      "  unmar gan sample my-gan -n 64 -o sheet.png");
  add_gan_train_command(*gan, chosen);
  add_gan_sample_command(*gan, chosen);
}

}  // namespace unmar::cli
