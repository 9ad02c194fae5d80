#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/files.h>
#include <unmar/runs/run.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "checks.h"
#include "commands.h"
#include "console.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

struct PickArguments {
  fs::path run, output;
  std::optional<int> iteration;
  std::optional<double> strength;
  WriteOptions writing;
  bool quality_given = false;
  bool list = false;
};

struct Row {
  std::string loss, psnr;
};

/// What history.csv says of the iterations; empty if the run has not come to its end.
std::map<int, Row> history_of(const RunStore& store) {
  std::map<int, Row> rows;
  if (!fs::exists(store.history())) return rows;
  std::istringstream lines(read_text(store.history(), "pick"));
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::string iteration, loss, psnr, average;
    std::getline(cells, iteration, ',');
    std::getline(cells, loss, ',');
    std::getline(cells, psnr, ',');
    std::getline(cells, average, ',');
    rows[std::atoi(iteration.c_str())] = {loss, average.empty() ? psnr : average};
  }
  return rows;
}

/// What the run tells at its end; nothing before.
struct Outcome {
  int chosen = -1;  ///< iteration
  bool in_tiles = false;
};
Outcome outcome_of(const RunStore& store) {
  Outcome outcome;
  if (!fs::exists(store.manifest())) return outcome;
  const auto manifest = nlohmann::json::parse(read_text(store.manifest(), "pick"), nullptr, false);
  const auto result = manifest.is_object() ? manifest.find("result") : manifest.end();
  if (result == manifest.end() || !result->is_object()) return outcome;
  const auto best = result->find("best_iteration");
  if (best != result->end() && best->is_number_integer()) outcome.chosen = best->get<int>();
  const auto parts = result->find("parts");
  if (parts != result->end() && parts->is_array() && !parts->empty() && parts->back().is_object())
    outcome.in_tiles = parts->back().value("phase", "") == "tile";
  return outcome;
}

void print_list(const RunStore& store, const std::vector<int>& kept, int chosen) {
  const auto history = history_of(store);
  const bool psnr =
      std::ranges::any_of(history, [](const auto& row) { return !row.second.psnr.empty(); });
  if (history.empty())
    print("iteration\n");
  else
    print("iteration  loss        {}\n", psnr ? "PSNR" : "");
  for (const int iteration : kept) {
    const auto row = history.find(iteration);
    std::string line = fmt::format("{:>9}", iteration);
    if (row != history.end()) {
      line += fmt::format("  {:<10.6f}", std::atof(row->second.loss.c_str()));
      if (psnr) line += fmt::format("  {:.2f} dB", std::atof(row->second.psnr.c_str()));
    }
    if (iteration == chosen) line += "  chosen";
    print("{}\n", line);
  }
}

struct Teller : RunObserver {
  void warned(const std::string& text) override { say("warning: {}", text); }
};

int nearest(const std::vector<int>& kept, int wanted) {
  return *std::ranges::min_element(kept, {}, [&](int i) { return std::abs(i - wanted); });
}

int run(const PickArguments& a) {
  if (a.list == a.iteration.has_value())
    throw Error(ErrorCode::bad_argument, "pick: give either --list, or --iteration N and -o OUT");
  if (a.list != a.output.empty())
    throw Error(ErrorCode::bad_argument, a.list ? "pick: --list writes no picture; leave -o out"
                                                : "pick: -o is missing; name the picture to write");
  const RunStore store(a.run, "pick");
  store.require_run();
  const std::vector<int> kept = store.kept();
  if (std::filesystem::is_directory(store.tiles()))
    throw Error(ErrorCode::bad_argument,
                fmt::format("pick: the picture of '{}' was restored in tiles, whose iterations are "
                            "not kept; add --tile none to a run to pick from",
                            a.run.string()));
  if (kept.empty())
    throw Error(ErrorCode::bad_input,
                fmt::format("pick: '{}' holds no pictures yet", a.run.string()));
  const Outcome outcome = outcome_of(store);
  if (outcome.in_tiles)
    say("the fit went tile by tile, so an iteration shows the tiles that were done by then, with "
        "the filter's result around them; a run with --tile none has one fit to pick from");
  if (a.list) {
    print_list(store, kept, outcome.chosen);
    return 0;
  }
  check_writable(a.output);
  const int iteration = nearest(kept, *a.iteration);
  Teller teller;
  WriteOptions writing = a.writing;
  if (!a.quality_given) writing.quality = store.read_record().request.out.writing.quality;
  write_image(a.output, pick(store, iteration, a.strength, &teller), writing);
  if (iteration != *a.iteration)
    say("iteration {} was not kept; the nearest that was is {}", *a.iteration, iteration);
  say("wrote {} as it was at iteration {}", a.output.string(), iteration);
  return 0;
}

}  // namespace

void add_pick_command(CLI::App& program, Action& chosen) {
  const auto a = std::make_shared<PickArguments>();  // shared with the callback below
  CLI::App* command = program.add_subcommand(
      "pick",
      "Take another iteration of a run, without fitting again\n\n"
      "A run with --run DIR keeps its result as it was every so many iterations. An earlier one "
      "is\nsofter, a later one has more detail and more noise.");
  command->footer(
      "Examples:\n"
      "  unmar denoise noisy.png -o clean.png --run noisy.run\n"
      "  unmar pick noisy.run --list\n"
      "  unmar pick noisy.run --iteration 300 -o softer.png");
  command->add_option("RUN", a->run, "the folder that --run named")->required()->group("Files");
  command
      ->add_option("-o,--output", a->output, "where to write the picture, finished as the result")
      ->type_name("OUT")
      ->group("Files");
  command
      ->add_option_function<int>(
          "--iteration", [a](int iteration) { a->iteration = iteration; },
          "which iteration; the nearest that was kept is taken")
      ->type_name("N")
      ->check(whole_in_range(0, 1'000'000))
      ->group("Iteration");
  command
      ->add_option_function<double>(
          "--strength", [a](double strength) { a->strength = strength; },
          "share of the restored picture, the rest is what came in (0 to 1, default as the run)")
      ->type_name("X")
      ->check(in_range(0, 1))
      ->group("Iteration");
  declare_writing(*command, a->writing, "as the run");
  command->add_flag("--list", a->list, "show which iterations were kept")->group("Iteration");
  command->callback([a, command, &chosen] {
    a->quality_given = command->count("--quality") > 0;
    chosen = [a] { return run(*a); };
  });
}

}  // namespace unmar::cli
