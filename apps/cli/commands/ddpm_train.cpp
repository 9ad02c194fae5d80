#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/process.h>
#include <unmar/runs/training.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "checks.h"
#include "commands.h"
#include "console.h"
#include "declaration.h"
#include "interrupt.h"
#include "option_flags.h"
#include "progress.h"

namespace unmar::cli {
namespace {

struct TrainArguments {
  TrainingRequest training;
  std::filesystem::path resume;
  std::vector<const OptionInfo*> given;
  bool quiet = false, json = false;
};

/// Shows a training on the terminal and stops it by Ctrl-C.
class TrainingConsole : public TrainingObserver {
 public:
  explicit TrainingConsole(bool quiet) : quiet_(quiet), line_("train", false, quiet) {}

  std::stop_token stop() const { return interrupt_.token(); }
  const std::string& folder() const { return folder_; }

  void started(const TrainingStart& s) override {
    folder_ = s.request.output.string();
    if (quiet_) return;
    say("{} pictures of {}x{} px, {}; U-Net of {} parameters; {} MiB", s.pictures, s.width,
        s.height, s.channels == 1 ? "gray" : "RGB", s.parameters, s.memory_bytes >> 20);
    if (s.done > 0) say("going on after {} iterations", s.done);
    say("{} iterations of {} pictures: {:.1f} passes; Ctrl-C stops and keeps the model so "
        "far",
        s.request.iterations, s.request.batch,
        static_cast<double>(s.request.iterations) * s.request.batch /
            static_cast<double>(s.pictures));
  }
  void progressed(const TrainingProgress& p) override {
    line_.update_loss(static_cast<int>(p.iteration), p.iterations, p.seconds, p.loss);
  }
  void warned(const std::string& text) override {
    line_.finish();
    say("warning: {}", text);
  }
  void writing() override {
    line_.finish();
    interrupt_.hold_off();
  }

 private:
  const bool quiet_;
  Interrupt interrupt_;
  Progress line_;
  std::string folder_;
};

void tell(const TrainArguments& a, const std::string& folder, const TrainingResult& r) {
  if (!a.quiet) {
    say("{} after {} iterations in {:.0f} s; loss {:.5f}; model in {}",
        r.whole ? "finished" : "stopped by you", r.iterations, r.seconds, r.loss, folder);
    if (!r.whole) say("'unmar ddpm train --resume {}' goes on from here", folder);
  }
  if (a.json)
    print("{{\"iterations\":{},\"loss\":{:.9g},\"seconds\":{:.3f},\"peak_memory_mib\":{:.1f}}}\n",
          r.iterations, r.loss, r.seconds, peak_memory_mib());
}

bool is_given(const TrainArguments& a, std::string_view name) {
  return std::any_of(a.given.begin(), a.given.end(),
                     [&](const OptionInfo* option) { return option->name == name; });
}

/// Refuses options that another one stands instead of.
void check(const TrainArguments& a) {
  for (const OptionInfo* option : a.given) {
    if (!a.resume.empty() && option->group != kTrainingRun)
      throw Error(ErrorCode::bad_argument,
                  fmt::format("--resume: goes on with the --{} that the training began with; leave "
                              "it out",
                              option->name));
    if (!a.training.unet.empty() && option->group == kTrainingNetwork)
      throw Error(ErrorCode::bad_argument,
                  fmt::format("--unet: says what --{} would; leave one of them out", option->name));
  }
}

TrainingChanges changes_of(const TrainArguments& a) {
  const auto changed = [&a](const char* name, auto value) {
    return is_given(a, name) ? std::optional(value) : std::nullopt;
  };
  const TrainingRequest& t = a.training;
  return {.iterations = changed("iterations", t.iterations),
          .threads = changed("threads", t.threads),
          .samples = changed("samples", t.samples),
          .checkpoint_every = changed("checkpoint-every", t.checkpoint_every)};
}

int run(const TrainArguments& a) {
  check(a);
  TrainingConsole console(a.quiet);
  const TrainingResult result =
      a.resume.empty() ? unmar::run(a.training, console, console.stop())
                       : resume_training(a.resume, changes_of(a), console, console.stop());
  tell(a, console.folder(), result);
  return 0;
}

void declare_training(CLI::App& command, TrainArguments& a) {
  for (const Option<TrainingRequest>& option : training_options())
    declare_option(command, option, unit_and_default(option, option.get(a.training)),
                   [&option, &a](const std::string& text) {
                     option.put(a.training, parse_value(option, text, "ddpm train"));
                     a.given.push_back(&option);
                   });
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
  Declaration d(*command);  // what resuming takes as it was
  d.group("Files");
  CLI::Option* images = d.positional(
      "IMAGES", a->training.images,
      "folder of pictures, of which the central squares are taken, or an IDX file, plain or .gz");
  CLI::Option* output =
      d.add("-o,--output", a->training.output, "MODEL", "new folder for the model");
  CLI::Option* resume = command
                            ->add_option("--resume", a->resume,
                                         "folder of a training to go on with, with the pictures "
                                         "and options that it began with")
                            ->type_name("MODEL")
                            ->group("Files");
  d.add("--unet", a->training.unet, "CONFIG.json",
        "the network of a config.json of diffusers, instead of the options below");
  declare_training(*command, *a);
  command->add_flag("--quiet", a->quiet, "say nothing but errors")->group(kTrainingRun);
  command->add_flag("--json", a->json, "print the facts of the result as one JSON line on stdout")
      ->group(kTrainingRun);
  for (CLI::Option* option : d.declared()) option->excludes(resume);
  command->callback([a, images, output, resume, &chosen] {
    if (resume->empty() && images->empty()) throw CLI::RequiredError("IMAGES or --resume");
    if (resume->empty() && output->empty()) throw CLI::RequiredError("-o");
    chosen = [a] { return run(*a); };
  });
}

}  // namespace unmar::cli
