#include <fmt/format.h>
#include <unmar/base/files.h>
#include <unmar/base/process.h>
#include <unmar/base/random.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "console.h"
#include "option_flags.h"
#include "profile_report.h"

namespace unmar::cli {
namespace {

struct ProfileArguments {
  std::string size = "256x256";
  int iterations = 5;
  std::filesystem::path network_file, json;
  RestoreOptions options;
};

ProfiledFit measure(const ProfileArguments& a) {
  using Clock = std::chrono::steady_clock;
  RestoreOptions given = a.options;
  if (!a.network_file.empty())
    given.custom_network =
        network_from_json(read_text(a.network_file, "--network-file"), a.network_file.string());
  ProfiledFit fit;
  fit.picture = parse_size(a.size);
  fit.options = resolve(Task::denoise, given);
  fit.iterations = a.iterations;
  const auto engine = make_engine(*fit.options.engine);
  const FitOptions options = fit_options(fit.options);
  fit.threads = thread_count(options.threads);

  const auto identity = make_identity();
  require_memory(Task::denoise, fit.picture, *identity, fit.options, *engine);
  Tensor y(fit.picture);
  Random(options.seed, "y").uniform(y.values(), 0.f, 1.f);
  ProblemOptions problem_with = problem_options(fit.options);
  problem_with.picture = y;
  const Problem problem = make_problem(y, fit.picture, *identity, problem_with);
  fit.parameters = problem.graph.param_count();
  fit.forward_macs = count_macs(problem.graph);
  fit.engine = engine->chosen_for(problem.graph).info();

  const auto program = engine->compile(problem.graph, {.seed = options.seed,
                                                       .threads = options.threads,
                                                       .device = options.device,
                                                       .precision = options.precision});
  fit.memory_bytes = program->memory_bytes();
  program->step(options.adam, 0);  // touches the memory
  program->start_profile();
  const auto start = Clock::now();
  for (int i = 1; i <= a.iterations; ++i) program->step(options.adam, i);
  fit.seconds = std::chrono::duration<double>(Clock::now() - start).count() / a.iterations;
  fit.steps = program->profile();
  return fit;
}

int run_profile(const ProfileArguments& a) {
  if (!a.json.empty()) check_text_writable(a.json, "--json");
  const ProfiledFit fit = measure(a);
  print("{}", profile_table(fit));
  if (!a.json.empty()) write_text(a.json, profile_json(fit), "--json");
  return 0;
}

/// What changes the work of an iteration. 'denoise --help' tells the defaults.
bool matters(const OptionSpec& spec) {
  return spec.serves(Task::denoise) && spec.group != "Damage" && spec.group != "Duration" &&
         spec.name != "method" && spec.name != "lr" && spec.name != "rollback" &&
         spec.name != "tile" && spec.name != "prior" && spec.name != "stages" &&
         spec.name != "stage-noise" && !spec.for_gan;
}

}  // namespace

void add_profile_command(CLI::App& program, Action& chosen) {
  const auto a = std::make_shared<ProfileArguments>();  // shared with the callbacks below
  CLI::App* command = program.add_subcommand(
      "profile",
      "Show where the time and memory of an iteration go\n\n"
      "Runs a few iterations of 'unmar denoise' on noise and lists the steps, the slowest first.");
  command->footer(
      "Examples:\n  unmar profile --size 512x512\n"
      "  unmar profile --size 1024x768 --network unet --iterations 3 --json unet.json");
  const char* group = "Measuring";
  command->add_option("--size", a->size, "size of the picture (default 256x256)")
      ->type_name("WIDTHxHEIGHT")
      ->group(group);
  command
      ->add_option("--iterations", a->iterations,
                   "iterations, after one that is not timed (default 5)")
      ->type_name("N")
      ->check(whole_in_range(1, 1'000'000))
      ->group(group);
  command->add_option("--json", a->json, "the table as a file for programs")
      ->type_name("FILE.json")
      ->group(group);
  command
      ->add_option("--network-file", a->network_file,
                   "a network in full, instead of the options below")
      ->type_name("FILE.json")
      ->group(group);
  for (const OptionSpec& spec : option_table())
    if (matters(spec)) declare_option(*command, spec, Task::denoise, a->options);
  command->callback([a, &chosen] { chosen = [a] { return run_profile(*a); }; });
}

}  // namespace unmar::cli
