#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/files.h>
#include <unmar/base/process.h>
#include <unmar/runs/film.h>
#include <unmar/runs/samples.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "console.h"
#include "declaration.h"
#include "interrupt.h"
#include "models_folder.h"
#include "option_flags.h"
#include "progress.h"
#include "samples_output.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kFrames = 50;  ///< of --snapshots, at most

struct SampleArguments {
  std::string model = "fashion-mnist";
  SamplesOutput output;
  fs::path snapshots;
  SamplesRequest request;
  bool quiet = false, json = false;
};

void check(const SampleArguments& a) {
  if (a.request.eta > 0 && a.request.sampler != "ddim")
    throw Error(ErrorCode::bad_argument, "--eta: only --sampler ddim has it");
  a.output.check();
  if (a.snapshots.empty()) return;
  if (!Film::is_meant_by(a.snapshots))
    throw Error(
        ErrorCode::bad_argument,
        fmt::format("--snapshots: '{}' must end in .png, .jpg, .tif (a film strip), .gif or "
                    ".webp (an animation)",
                    a.snapshots.string()));
  check_text_writable(a.snapshots, "--snapshots");
}

/// Draws, and shows how it goes.
std::vector<Image> draw(const SampleArguments& a, const DiffusersModel& model, Interrupt& interrupt,
                        Film& film) {
  const Clock::time_point start = Clock::now();
  Progress line("sample", false, a.quiet);
  const auto on_step = [&](const SamplesProgress& progress) {
    line.update_count(progress.done, progress.steps, seconds_since(start));
    const int every = std::max(1, progress.steps / kFrames);
    if (!a.snapshots.empty() && progress.done % every == 0)
      film.offer(progress.done / every - 1, fmt::format("step {}", progress.done),
                 sheet_of(progress.so_far(), a.output.columns, a.output.zoom));
  };
  try {
    std::vector<Image> pictures =
        draw_samples(model, a.request, on_step, interrupt.token(), [&](double seconds) {
          if (!a.quiet)
            say("this takes about {}; Ctrl-C ends it and keeps what is done", duration(seconds));
        });
    line.finish();
    return pictures;
  } catch (...) {
    line.finish();
    throw;
  }
}

int run(const SampleArguments& a) {
  const Clock::time_point start = Clock::now();
  const DiffusersModel model = read_diffusers(model_folder(a.model));
  check(a);
  Interrupt interrupt;
  Film film;
  const std::vector<Image> pictures = draw(a, model, interrupt, film);
  interrupt.hold_off();
  if (pictures.empty()) {
    say("stopped by you before a sample was done; nothing was written");
    return 0;
  }
  a.output.write(pictures);
  if (!a.snapshots.empty()) try {
      film.write(a.snapshots, "the samples", sheet_of(pictures, a.output.columns, a.output.zoom));
    } catch (const std::exception& error) {
      say("warning: {}; the samples are written", error.what());
    }
  const double seconds = seconds_since(start);
  if (!a.quiet)
    say("{} samples by {} in {} steps in {:.1f} s", pictures.size(), a.request.sampler,
        a.request.steps, seconds);
  if (a.json)
    print("{{\"samples\":{},\"steps\":{},\"seconds\":{:.3f},\"peak_memory_mib\":{:.1f}}}\n",
          pictures.size(), a.request.steps, seconds, peak_memory_mib());
  return 0;
}

}  // namespace

void add_ddpm_sample_command(CLI::App& ddpm, Action& chosen) {
  const auto a = std::make_shared<SampleArguments>();  // shared with the callback below
  CLI::App* command = ddpm.add_subcommand(
      "sample", "Draw new pictures with a diffusion model\n\nSame seed, same pictures.");
  command->footer(
      "Examples:\n"
      "  unmar ddpm sample -n 16 -o sheet.png\n"
      "  unmar ddpm sample model -n 64 -o sheet.png --sampler dpm-solver++ --steps 20 --seed 1\n"
      "  unmar ddpm sample model -n 100 -o pictures");
  Declaration d(*command);
  d.group("Files");
  d.positional(
      "MODEL", a->model,
      "folder of a model, or the name of one that came with unmar (default fashion-mnist)");
  declare_output(d, a->output);
  d.add("--snapshots", a->snapshots, "FILE",
        "the sheet as it forms: a film strip (.png .jpg .tif) or an animation (.gif .webp)");
  declare_options(*command, sampling_options(), a->request, "ddpm sample");
  declare_sheet(d, a->output);
  d.group("Reports");
  d.flag("--quiet", a->quiet, "say nothing but errors");
  d.flag("--json", a->json, "print the facts of the result as one JSON line on stdout");
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
