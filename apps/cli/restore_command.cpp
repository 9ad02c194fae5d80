#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "fit_console.h"
#include "help.h"
#include "option_flags.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

const char* description(Task task) {
  switch (task) {
    case Task::denoise:
      return "Remove noise from a picture\n\n"
             "A filter that combines similar patches has a first result soon (256x256 on two "
             "cores: "
             "2 s).\nThen a network is fitted to the noisy picture alone; it learns the picture "
             "sooner than the noise,\nand the fit ends in between (2 minutes; --preset best: 20). "
             "The result is the blend of both that\npixels hidden from them speak for. If you stop "
             "it, the filter's result is written.";
    case Task::inpaint:
      return "Fill the missing pixels of a picture\n\n"
             "The mask is a picture of the same size: white where the picture is good, black where "
             "it is to be\nfilled. --invert-mask takes it the other way round. A hole of 32x32 "
             "pixels or more is filled\nas with --skip 0 --input meshgrid, unless you choose "
             "these, --network or --preset paper.";
    case Task::upscale:
      return "Enlarge a picture 2, 3, 4 or 8 times\n\n"
             "A network is fitted so that its large picture, reduced, is the given small one.";
  }
  return "";
}

const char* examples(Task task) {
  switch (task) {
    case Task::denoise:
      return "Examples:\n"
             "  unmar denoise noisy.png -o clean.png\n"
             "  unmar denoise noisy.png -o clean.png --method patches\n"
             "  unmar denoise noisy.png -o clean.png --sigma 50 --preset paper\n"
             "  unmar denoise noisy.tif -o clean.tif --iterations 800 --seed 7 --manifest "
             "run.json\n"
             "  unmar denoise dark.png -o clean.png --guide flash.png --input guide "
             "--reg-noise-std 0";
    case Task::inpaint:
      return "Examples:\n"
             "  unmar inpaint scratched.png --mask mask.png -o whole.png\n"
             "  unmar inpaint photo.jpg --mask text_is_white.png --invert-mask -o photo_clean.jpg";
    case Task::upscale:
      return "Examples:\n"
             "  unmar upscale small.png --factor 4 -o large.png\n"
             "  unmar upscale small.png --factor 2 -o large.png --preset paper";
  }
  return "";
}

struct RestoreArguments {
  FitRequest request;
  std::filesystem::path run;  ///< folder of the store
  bool quiet = false, json = false;
  PictureArguments pictures;
};

int run(RestoreArguments a) {
  a.request.in.reading = a.pictures.read_options();
  std::optional<RunStore> store;
  if (!a.run.empty()) store.emplace(a.run, "--run");
  FitConsole console({a.quiet, a.json, a.run.string()});
  unmar::run(a.request, store ? &*store : nullptr, console, console.stop());
  return 0;
}

void declare_files(CLI::App& command, FitRequest& a) {
  const char* group = "Files";
  command.add_option("IN", a.in.picture, "the damaged picture: PNG, TIFF, JPEG, WebP or FITS")
      ->required()
      ->group(group);
  command
      .add_option("-o,--output", a.out.result,
                  "where to write the result; the extension says the type, depth and colour "
                  "profile are those of IN")
      ->required()
      ->type_name("OUT")
      ->group(group);
  command
      .add_option("--guide", a.in.guide,
                  "another picture of the same scene, of the size of the result, for --input guide")
      ->type_name("PICTURE")
      ->group(group);
  command
      .add_option("--network-file", a.in.network,
                  "a network in full, instead of the options below; 'unmar networks show NAME "
                  "--json' prints one to start from")
      ->type_name("FILE.json")
      ->group(group);
  if (a.task == Task::inpaint)
    command.add_option("--mask", a.in.mask, "white: known, black: to be filled")
        ->required()
        ->type_name("MASK")
        ->group(group);
}

void declare_reports(CLI::App& command, RestoreArguments& a) {
  const char* group = "Reports";
  const auto file = [&](const char* name, std::filesystem::path& path, const char* type,
                        const char* help) {
    return command.add_option(name, path, help)->type_name(type)->group(group);
  };
  show_in_short_help(
      file("--reference", a.request.in.reference, "CLEAN",
           "the undamaged picture, if you have it: adds PSNR and SSIM, never changes the result"));
  file("--history", a.request.out.history, "FILE.csv",
       "loss, PSNR and what the stop rule and those of --watch see, of every iteration");
  file("--manifest", a.request.out.manifest, "FILE.json",
       "all options, versions and facts of the run, to repeat it");
  show_in_short_help(file(
      "--report", a.request.out.report, "FILE.html",
      "a page that shows the run: before and after, how the picture formed, curves, all options"));
  file("--snapshots", a.request.out.snapshots, "WHERE",
       "the result as it develops; a folder of pictures, a film strip (.png .jpg .tif) or an "
       "animation (.gif .webp)");
  command
      .add_option("--every", a.request.cadence.snapshot_every,
                  "iterations between snapshots (default 100)")
      ->type_name("N")
      ->check(whole_in_range(1, 1'000'000))
      ->group(group);
  command.add_flag("--quiet", a.quiet, "say nothing but errors")->group(group);
  command.add_flag("--json", a.json, "print the facts of the result as one JSON line on stdout")
      ->group(group);
}

void declare_run(CLI::App& command, RestoreArguments& a) {
  const char* group = "Long runs";
  CLI::Option* run = command.add_option(
      "--run,--checkpoint", a.run,
      "new folder to keep the run in, so that 'unmar resume' can go on with it and 'unmar pick' "
      "can "
      "take another iteration of it; it holds the state of the fit and some 40 pictures");
  show_in_short_help(run)->type_name("DIR")->group(group);
  command
      .add_option("--checkpoint-every", a.request.cadence.checkpoint_seconds,
                  "seconds between the states that are saved (default 60)")
      ->type_name("SECONDS")
      ->check(in_range(0, 1e6))
      ->needs(run)
      ->group(group);
  command
      .add_option("--keep-every", a.request.cadence.keep_every,
                  "iterations between the pictures that are kept (default a fortieth of all)")
      ->type_name("N")
      ->check(whole_in_range(1, 1'000'000))
      ->needs(run)
      ->group(group);
}

void add_restore_command(CLI::App& program, Task task, Action& chosen) {
  // The command's callbacks outlive this function and write to one object: hence shared.
  const auto arguments = std::make_shared<RestoreArguments>();
  arguments->request.task = task;
  CLI::App* command = program.add_subcommand(to_string(task), description(task));
  command->footer(examples(task));
  command->set_help_all_flag("--help-all", "show all options, those above are the most used ones");
  declare_files(*command, arguments->request);
  for (const OptionSpec& spec : option_table())
    if (spec.serves(task)) declare_option(*command, spec, task, arguments->request.options);
  declare_reports(*command, *arguments);
  declare_run(*command, *arguments);
  arguments->pictures.declare(*command);
  command->callback([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace

void add_restore_commands(CLI::App& program, Action& chosen) {
  for (const Task task : {Task::denoise, Task::inpaint, Task::upscale})
    add_restore_command(program, task, chosen);
}

}  // namespace unmar::cli
