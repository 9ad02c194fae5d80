#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/gan/model.h>
#include <unmar/runs/training.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "checks.h"
#include "commands.h"
#include "fit_console.h"
#include "refine_console.h"

namespace unmar::cli {
namespace {

struct ResumeArguments {
  std::filesystem::path run;
  ResumeChanges changes;
  bool quiet = false, json = false;
};

/// Nothing but a GAN keeps a generator.
bool is_gan(const std::filesystem::path& training) {
  std::error_code error;
  return std::filesystem::exists(gan_files(training).weights, error);
}

int run(const ResumeArguments& given) {
  std::error_code error;
  if (std::filesystem::exists(TrainingFolder{given.run}.record(), error))
    throw Error(ErrorCode::bad_argument,
                fmt::format("resume: '{0}' is the training of a model; 'unmar {1} train --resume "
                            "{0}' goes on with it",
                            given.run.string(), is_gan(given.run) ? "gan" : "ddpm"));
  if (std::filesystem::exists(RefineFolder{given.run}.record(), error)) {
    RefineConsole console({given.quiet, given.json, given.run.string()});
    const RefineRunResult result = resume_refine(given.run, given.changes, console, console.stop());
    return result.tiled && result.tiled->tiling->failed ? 1 : 0;
  }
  RunStore store(given.run, "resume");
  FitConsole console({given.quiet, given.json, given.run.string()});
  const RunResult result = resume(store, given.changes, console, console.stop());
  return result.tiling && result.tiling->failed ? 1 : 0;
}

}  // namespace

void add_resume_command(CLI::App& program, Action& chosen) {
  const auto a = std::make_shared<ResumeArguments>();  // shared with the callback below
  CLI::App* command = program.add_subcommand(
      "resume",
      "Go on with a run that was interrupted\n\n"
      "A run that was begun with --run DIR and then stopped, killed or cut off goes on from its "
      "last\n"
      "checkpoint, with the same pictures and options, and writes the files it was to write. The\n"
      "result is the same to the last bit as without the interruption, on the same engine.");
  command->footer(
      "Examples:\n"
      "  unmar denoise large.png -o clean.png --preset paper --run large.run\n"
      "  unmar resume large.run");
  command->add_option("RUN", a->run, "the folder that --run named")->required()->group("Files");
  command
      ->add_option_function<int>(
          "--threads", [a](int threads) { a->changes.threads = threads; },
          "cores to use from here on; the result does not depend on it (default as it was begun)")
      ->type_name("N")
      ->check(whole_in_range(0, 1024))
      ->group("Run");
  command
      ->add_option_function<std::string>(
          "--engine", [a](const std::string& engine) { a->changes.engine = engine; },
          "engine from here on, such as cpu where a card was lost; another one rounds\n"
          "differently (default as it was begun)")
      ->type_name("NAME")
      ->group("Run");
  command->add_flag("--quiet", a->quiet, "say nothing but errors")->group("Reports");
  command->add_flag("--json", a->json, "print the facts of the result as one JSON line on stdout")
      ->group("Reports");
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
