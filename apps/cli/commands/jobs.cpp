#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/runs/job_list.h>
#include <unmar/runs/queue.h>
#include <unmar/tasks/options.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "console.h"
#include "interrupt.h"
#include "progress.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

struct JobArguments {
  fs::path file;
  std::string part = "1/1";
  int threads = 0, tasks = 0, cores = 2;
  bool quiet = false;
  std::vector<std::string> options;  ///< of sbatch
};

class JobConsole : public JobObserver {
 public:
  explicit JobConsole(bool quiet) : quiet_(quiet), progress_("work", false, quiet) {}
  void progressed(const JobProgress& p) override {
    const double left =
        p.seconds / static_cast<double>(p.done_here) * static_cast<double>(p.all - p.done);
    progress_.update_tiles({.done = static_cast<int>(p.done),
                            .all = static_cast<int>(p.all),
                            .share = static_cast<double>(p.done) / static_cast<double>(p.all),
                            .seconds = p.seconds,
                            .seconds_left = left});
  }
  void warned(const std::string& text) override {
    progress_.finish();
    say("error: {}", text);
  }
  void joined(const FitRequest& request) override {
    if (!quiet_) say("wrote {}", request.out.result.string());
  }
  void finish() { progress_.finish(); }

 private:
  bool quiet_;
  Progress progress_;
};

Share share_of(const std::string& text) {
  Share share;
  const std::size_t slash = text.find('/');
  const auto number = [&](std::size_t from, std::size_t to, int& value) {
    const auto [end, error] = std::from_chars(text.data() + from, text.data() + to, value);
    return error == std::errc{} && end == text.data() + to;
  };
  if (slash == text.npos || !number(0, slash, share.part) ||
      !number(slash + 1, text.size(), share.of))
    throw Error(ErrorCode::bad_argument,
                fmt::format("--part: must be I/N, as 3/8, got '{}'", text));
  return share;
}

int work(const JobArguments& a) {
  const JobList list = read_jobs(a.file);
  JobConsole console(a.quiet);
  Interrupt interrupt;
  const WorkResult result = work_on(list, share_of(a.part), a.threads, console, interrupt.token());
  console.finish();
  if (!a.quiet)
    say("{} tiles done here, {} of {} are left{}", result.done_here, result.left, list.tiles(),
        result.left > 0 ? ""
                        : fmt::format("; 'unmar join {}' writes the results", a.file.string()));
  return result.failed > 0 ? 1 : 0;
}

int join(const JobArguments& a) {
  const JobList list = read_jobs(a.file);
  JobConsole console(a.quiet);
  const JoinResult result = join_jobs(list, console);
  if (result.missing > 0)
    say("error: join: {} of {} tiles are not done yet; 'unmar work {}' does them", result.missing,
        list.tiles(), a.file.string());
  return result.missing + result.failed > 0 ? 1 : 0;
}

/// The picture of the most memory, whose tiles take longest, too: any job may get it.
const FitRequest& most_demanding(const JobList& list) {
  const FitRequest* most = &list.pictures.front().request;
  std::size_t most_memory = 0;
  for (const ListedPicture& picture : list.pictures) {
    FitRequest one = picture.request;
    one.options.threads = 1;  // else the number of tiles would count
    try {
      const std::size_t memory = memory_needed(one);
      if (memory <= most_memory) continue;
      most = &picture.request;
      most_memory = memory;
    } catch (const Error&) {  // it is gone, as one may be that is joined
    }
  }
  return *most;
}

int slurm(const JobArguments& a) {
  const JobList list = read_jobs(a.file);
  const int tasks =
      a.tasks > 0 ? a.tasks : static_cast<int>(std::min<std::int64_t>(list.tiles(), 100));
  const TileEstimate estimate = estimate_tile(most_demanding(list));
  print("{}", slurm_script(list, tasks, a.cores, estimate, a.options,
                           fs::read_symlink("/proc/self/exe")));
  return 0;
}

void declare_file(CLI::App& command, JobArguments& a) {
  command.add_option("JOBFILE", a.file, "the job list that 'unmar plan' wrote")
      ->required()
      ->group("Files");
}

CLI::App* add_command(CLI::App& program, Action& chosen, const char* name, const char* text,
                      int (*run)(const JobArguments&), std::shared_ptr<JobArguments> a) {
  CLI::App* command = program.add_subcommand(name, text);
  declare_file(*command, *a);
  command->callback([a, run, &chosen] { chosen = [a, run] { return run(*a); }; });
  return command;
}

}  // namespace

std::vector<std::string> without_plan(std::vector<std::string> arguments) {
  if (arguments.empty() || arguments.front() != "plan") return arguments;
  std::string task = "denoise", file;
  std::vector<std::string> rest;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "-h" || word == "--help") return {"plan", word};
    if (word == "--task" && i + 1 < arguments.size())
      task = to_string(task_named(arguments[++i]));
    else if (file.empty() && !word.starts_with('-'))
      file = word;
    else
      rest.push_back(word);
  }
  if (file.empty() || rest.empty()) return {"plan"};
  rest.insert(rest.begin(), task);
  rest.insert(rest.end(), {"--plan", file});
  return rest;
}

void add_jobs_commands(CLI::App& program, Action& chosen) {
  CLI::App* plan = program.add_subcommand(
      "plan",
      "Write a job list: many pictures, for many processes or machines\n\n"
      "unmar plan [--task TASK] JOBFILE IN... -o OUT [options]\n\n"
      "The options are those of the task, which is denoise if nothing is said; 'unmar TASK IN... "
      "-o\n"
      "OUT --plan JOBFILE' does the same.\n\n"
      "'unmar work' then does a share, as often and in as many places as you like, and 'unmar "
      "join'\n"
      "writes the results. What is done stays done, so any of it can be repeated.");
  plan->callback([&chosen] {
    chosen = []() -> int {
      throw Error(
          ErrorCode::bad_argument,
          "plan: needs a JOBFILE to write and pictures; as unmar plan jobs.json *.tif -o out/");
    };
  });
  plan->footer(
      "Examples:\n"
      "  unmar plan jobs.json *.tif -o out/ --sigma 10\n"
      "  unmar work jobs.json\n"
      "  unmar join jobs.json\n"
      "  seq 8 | xargs -P 8 -I{} unmar work jobs.json --part {}/8 --threads 1");

  auto a = std::make_shared<JobArguments>();
  CLI::App* command = add_command(
      program, chosen, "work",
      "Do a share of a job list\n\n"
      "Does the tiles of its part, then those of others that nobody is at. A tile that a lost\n"
      "process was at is taken over after two minutes.",
      work, a);
  command->footer(
      "Examples:\n"
      "  unmar work jobs.json\n"
      "  unmar work jobs.json --part 3/8");
  command->add_option("--part", a->part, "which part of how many, from 1 (default 1/1)")
      ->type_name("I/N");
  command->add_option("--threads", a->threads, "cores to use; 0: all")
      ->type_name("N")
      ->check(whole_in_range(0, 1024));
  command->add_flag("--quiet", a->quiet, "say nothing but errors");

  a = std::make_shared<JobArguments>();
  command = add_command(program, chosen, "join",
                        "Write the results of a job list whose tiles are done", join, a);
  command->footer("Examples:\n  unmar join jobs.json");
  command->add_flag("--quiet", a->quiet, "say nothing but errors");

  a = std::make_shared<JobArguments>();
  command = add_command(
      program, chosen, "slurm",
      "Print the commands that hand a job list to Slurm\n\n"
      "An array job that does the tiles and a job behind it that joins them; time and memory are\n"
      "estimated from a few iterations of one tile. JOBFILE and pictures must lie on a folder "
      "that\n"
      "all nodes share. Submitted again, it does what is missing.",
      slurm, a);
  command->footer(
      "Examples:\n"
      "  unmar slurm jobs.json | sh\n"
      "  unmar slurm jobs.json --tasks 50 --cores 4 -- --partition=long | sh");
  command
      ->add_option("--tasks", a->tasks,
                   "jobs of the array (default one for each tile, 100 at most)")
      ->type_name("N")
      ->check(whole_in_range(1, 1'000'000));
  command->add_option("--cores", a->cores, "of each job (default 2)")
      ->type_name("N")
      ->check(whole_in_range(1, 1024));
  command->add_option("OPTIONS", a->options, "of sbatch, behind --")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace unmar::cli
