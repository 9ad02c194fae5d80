#include "training_console.h"

#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/process.h>

#include <algorithm>
#include <utility>

#include "console.h"
#include "declaration.h"

namespace unmar::cli {

void TrainingConsole::started(const TrainingStart& s) {
  folder_ = s.output.string();
  if (quiet_) return;
  say("{} pictures of {}x{} px, {}; {} of {} parameters; {} MiB", s.pictures, s.width, s.height,
      s.channels == 1 ? "gray" : "RGB", s.network, s.parameters, s.memory_bytes >> 20);
  if (s.done > 0) say("going on after {} iterations", s.done);
  say("{} iterations of {} pictures: {:.1f} passes; Ctrl-C stops and keeps the model so far",
      s.iterations, s.batch,
      static_cast<double>(s.iterations) * s.batch / static_cast<double>(s.pictures));
}

void TrainingConsole::progressed(const TrainingProgress& p) {
  std::vector<std::string> more;
  if (p.game)
    more = {fmt::format("discriminator right {:.0f} %", 100 * p.game->accuracy),
            fmt::format("diversity {:.2f}", p.game->diversity)};
  line_.update_loss(static_cast<int>(p.iteration), p.iterations, p.seconds, p.loss, more);
}

void TrainingConsole::warned(const std::string& text) {
  line_.finish();
  say("warning: {}", text);
}

void TrainingConsole::writing() {
  line_.finish();
  interrupt_.hold_off();
}

bool TrainingArguments::is_given(std::string_view name) const {
  return std::ranges::any_of(given, [&](const OptionInfo* o) { return o->name == name; });
}

void check_resumed(const TrainingArguments& a) {
  for (const OptionInfo* option : a.given)
    if (!a.resume.empty() && option->group != kTrainingRun)
      throw Error(ErrorCode::bad_argument,
                  fmt::format("--resume: goes on with the --{} that the training began with; leave "
                              "it out",
                              option->name));
}

void tell_training(const TrainingArguments& a, const char* command, const std::string& folder,
                   const TrainingResult& r) {
  if (!a.quiet) {
    const std::string game = r.game
                                 ? fmt::format("; discriminator right {:.0f} %, diversity {:.2f}",
                                               100 * r.game->accuracy, r.game->diversity)
                                 : "";
    say("{} after {} iterations in {:.0f} s; loss {:.5f}{}; model in {}",
        r.whole ? "finished" : "stopped by you", r.iterations, r.seconds, r.loss, game, folder);
    if (!r.whole) say("'unmar {} --resume {}' goes on from here", command, folder);
  }
  if (!a.json) return;
  const std::string game =
      r.game
          ? fmt::format(",\"discriminator_loss\":{:.9g},\"accuracy\":{:.9g},\"diversity\":{:.9g}",
                        r.game->discriminator_loss, r.game->accuracy, r.game->diversity)
          : "";
  print("{{\"iterations\":{},\"loss\":{:.9g}{},\"seconds\":{:.3f},\"peak_memory_mib\":{:.1f}}}\n",
        r.iterations, r.loss, game, r.seconds, peak_memory_mib());
}

void declare_training(CLI::App& command, const TrainingFlags& flags, TrainingArguments& a,
                      std::function<void()> chosen) {
  Declaration d(command);  // what resuming takes as it was
  d.group("Files");
  CLI::Option* images = d.positional(
      "IMAGES", flags.images,
      "folder of pictures, of which the central squares are taken, or an IDX file, plain or .gz");
  CLI::Option* output = d.add("-o,--output", flags.output, "MODEL", "new folder for the model");
  CLI::Option* resume = command
                            .add_option("--resume", a.resume,
                                        "folder of a training to go on with, with the pictures "
                                        "and options that it began with")
                            ->type_name("MODEL")
                            ->group("Files");
  if (flags.declare_files) flags.declare_files(d);
  flags.declare_options();
  command.add_flag("--quiet", a.quiet, "say nothing but errors")->group(kTrainingRun);
  command.add_flag("--json", a.json, "print the facts of the result as one JSON line on stdout")
      ->group(kTrainingRun);
  for (CLI::Option* option : d.declared()) option->excludes(resume);
  command.callback([images, output, resume, chosen = std::move(chosen)] {
    if (resume->empty() && images->empty()) throw CLI::RequiredError("IMAGES or --resume");
    if (resume->empty() && output->empty()) throw CLI::RequiredError("-o");
    chosen();
  });
}

}  // namespace unmar::cli
