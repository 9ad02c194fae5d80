#include <unmar/runs/gan.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "declaration.h"
#include "option_flags.h"
#include "training_console.h"

namespace unmar::cli {
namespace {

struct GanTrainArguments : TrainingArguments {
  GanTrainingRequest training;
};

int run(const GanTrainArguments& a) {
  check_resumed(a);
  TrainingConsole console(a.quiet);
  const TrainingResult result =
      a.resume.empty()
          ? unmar::run(a.training, console, console.stop())
          : resume_gan_training(a.resume, changes_of(a, a.training), console, console.stop());
  tell_training(a, "gan train", console.folder(), result);
  return 0;
}

}  // namespace

void add_gan_train_command(CLI::App& gan, Action& chosen) {
  const auto a = std::make_shared<GanTrainArguments>();  // shared with the callback below
  CLI::App* command =
      gan.add_subcommand("train",
                         "Train a generator on many pictures of one kind\n\n"
                         "A discriminator learns to tell them from what the generator makes, and "
                         "the generator from the\n"
                         "discriminator. The model is a folder, with the state of the training, so "
                         "that after Ctrl-C, a\n"
                         "crash or a power cut --resume goes on, to the same bits.");
  command->footer(
      "Examples:\n"
      "  unmar gan train pictures/ --size 64 -o my-gan --samples 1000\n"
      "  unmar gan train train-images-idx3-ubyte.gz --channels 32 -o my-gan\n"
      "  unmar gan train --resume my-gan --iterations 40000");
  declare_training(*command,
                   {.command = "gan train",
                    .images = a->training.images,
                    .output = a->training.output,
                    .declare_options =
                        [&] {
                          declare_noted_options(*command, gan_training_options(), a->training,
                                                a->given, "gan train");
                        }},
                   *a, [a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
