#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/runs/training.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "declaration.h"
#include "option_flags.h"
#include "training_console.h"

namespace unmar::cli {
namespace {

struct TrainArguments : TrainingArguments {
  TrainingRequest training;
};

/// Refuses options that another one stands instead of.
void check(const TrainArguments& a) {
  check_resumed(a);
  for (const OptionInfo* option : a.given)
    if (!a.training.unet.empty() && option->group == kTrainingNetwork)
      throw Error(ErrorCode::bad_argument,
                  fmt::format("--unet: says what --{} would; leave one of them out", option->name));
}

int run(const TrainArguments& a) {
  check(a);
  TrainingConsole console(a.quiet);
  const TrainingResult result =
      a.resume.empty()
          ? unmar::run(a.training, console, console.stop())
          : resume_training(a.resume, changes_of(a, a.training), console, console.stop());
  tell_training(a, "ddpm train", console.folder(), result);
  return 0;
}

}  // namespace

void add_ddpm_train_command(CLI::App& ddpm, Action& chosen) {
  const auto a = std::make_shared<TrainArguments>();  // shared with the callback below
  CLI::App* command =
      ddpm.add_subcommand("train",
                          "Train a diffusion model on many pictures of one kind\n\n"
                          "A U-Net learns to tell the noise in noisy pictures. It is kept in a "
                          "folder that 'unmar ddpm\n"
                          "sample' and Python's diffusers read, with the state of the training, so "
                          "that after Ctrl-C, a\n"
                          "crash or a power cut --resume goes on, to the same bits.");
  command->footer(
      "Examples:\n"
      "  unmar ddpm train pictures/ --size 64 -o model\n"
      "  unmar ddpm train train-images-idx3-ubyte.gz --channels 32,64,64 -o model --samples 1000\n"
      "  unmar ddpm train --resume model --iterations 40000");
  declare_training(
      *command,
      {.command = "ddpm train",
       .images = a->training.images,
       .output = a->training.output,
       .declare_files =
           [&](Declaration& d) {
             d.add("--unet", a->training.unet, "CONFIG.json",
                   "the network of a config.json of diffusers, instead of the options below");
           },
       .declare_options =
           [&] {
             declare_noted_options(*command, training_options(), a->training, a->given,
                                   "ddpm train");
           }},
      *a, [a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
