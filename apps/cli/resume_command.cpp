#include <fmt/format.h>
#include <unmar/error.h>
#include <unmar/version.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "checks.h"
#include "commands.h"
#include "restore_run.h"
#include "run_folder.h"
#include "run_record.h"
#include "training.h"

namespace unmar::cli {
namespace {

struct ResumeArguments {
  std::filesystem::path run;
  std::optional<int> threads;
  bool quiet = false, json = false;
};

int run(const ResumeArguments& given) {
  std::error_code error;
  if (std::filesystem::exists(TrainingFolder{given.run}.record(), error))
    throw Error(ErrorCode::bad_argument,
                fmt::format("resume: '{0}' is the training of a model; 'unmar ddpm train --resume "
                            "{0}' goes on with it",
                            given.run.string()));
  const RunFolder folder(given.run);
  folder.require_run("resume");
  const RunLock lock(folder.path());
  folder.clean();
  const bool checkpoint = std::filesystem::exists(folder.checkpoint());
  if (!checkpoint && std::filesystem::exists(folder.manifest()))
    throw Error(
        ErrorCode::bad_argument,
        fmt::format("resume: the run in '{}' is finished; 'unmar pick' takes another moment "
                    "of it",
                    given.run.string()));
  const RunRecord record = read_run_record(folder.record(), "resume");
  if (record.version != version())
    throw Error(ErrorCode::unsupported,
                fmt::format("resume: the run in '{}' was begun by unmar {}, this is {}; go on with "
                            "the version that began it",
                            given.run.string(), record.version, version()));
  RestoreArguments arguments = record.arguments;
  arguments.run = folder.path();
  arguments.quiet = given.quiet;
  arguments.json = given.json;
  if (given.threads) arguments.options.threads = given.threads;
  return resume_run(arguments, record);
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
      "result is the same to the last bit as without the interruption.");
  command->footer(
      "Examples:\n"
      "  unmar denoise large.png -o clean.png --preset paper --run large.run\n"
      "  unmar resume large.run");
  command->add_option("RUN", a->run, "the folder that --run named")->required()->group("Files");
  command
      ->add_option_function<int>(
          "--threads", [a](int threads) { a->threads = threads; },
          "cores to use from here on; the result does not depend on it (default as it was begun)")
      ->type_name("N")
      ->check(whole_in_range(0, 1024))
      ->group("Run");
  command->add_flag("--quiet", a->quiet, "say nothing but errors")->group("Reports");
  command->add_flag("--json", a->json, "print the facts of the result as one JSON line on stdout")
      ->group("Reports");
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
