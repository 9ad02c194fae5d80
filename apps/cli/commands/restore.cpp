#include <fmt/format.h>

#include <unmar/base/error.h>
#include <unmar/gan/model.h>
#include <unmar/runs/job_list.h>
#include <unmar/runs/pages.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "console.h"
#include "fit_console.h"
#include "help.h"
#include "models_folder.h"
#include "option_flags.h"
#include "pictures.h"
#include "progress.h"
#include "restore_files.h"

namespace unmar::cli {
namespace {

struct RestoreArguments {
  FitRequest request;  ///< but for the picture and the result
  RestoreFiles files;
  std::filesystem::path run;   ///< folder of the store
  std::filesystem::path plan;  ///< a job list to be written instead
  std::string model;           ///< of --prior gan
  bool quiet = false, json = false, estimate = false;
  PictureArguments pictures;
};

/// --blur FILE is a file to read, no option in words.
void take_blur(FitRequest& request) {
  std::optional<std::string>& blur = request.options.blur;
  if (!blur) return;
  if (std::filesystem::is_regular_file(*blur)) {
    request.in.blur = *blur;
    blur.reset();
  } else {
    blur_in_words(*blur, to_string(request.task));
  }
}

/// --model NAME of one that came with unmar, or FOLDER.
void take_model(RestoreArguments& a) {
  const bool gan = a.request.options.prior == FitPrior::gan;
  if (!a.model.empty() && !gan)
    throw Error(ErrorCode::bad_argument, "--model: belongs to --prior gan; give that, too");
  if (!gan) return;
  const GanFiles files = gan_files(model_folder(a.model.empty() ? kShippedGan : a.model));
  a.request.in.model = files.weights;
}

int run(RestoreArguments a) {
  a.request.in.reading = a.pictures.read_options();
  take_blur(a.request);
  take_model(a);
  a.files.page = a.pictures.page;
  const std::vector<FitRequest> requests = requests_for(a.files, a.request, !a.run.empty());
  if (a.estimate) {
    for (FitRequest request : requests) {
      request.in.reading.page = chosen_pages(a.files.page, request.in.picture).front();
      print_estimate(request, request.options.threads);
    }
    return 0;
  }
  if (!a.plan.empty()) return plan_files(a.plan, requests, a.files.page, a.quiet);
  FitConsole console({a.quiet, a.json, a.run.string(), requests.size() > 1});
  if (requests.size() > 1) return restore_all(requests, a.files.page, a.quiet, console);
  std::optional<RunStore> store;
  if (!a.run.empty()) store.emplace(a.run, "--run");
  return restore_one(requests.front(), a.files.page, store ? &*store : nullptr, a.quiet, console);
}

void declare_files(CLI::App& command, RestoreArguments& arguments) {
  FitRequest& a = arguments.request;
  const char* group = "Files";
  command
      .add_option(
          "IN", arguments.files.inputs,
          "the damaged picture, or several: PNG, TIFF, JPEG, WebP, FITS, GIF, BMP, AVIF, HEIC or "
          "JPEG XL; channels that are no "
          "colours (a microscope's) have a range each and share one fit, as they show one scene")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  command
      .add_option("-o,--output", arguments.files.output,
                  "where to write the result; the extension says the type, depth and colour "
                  "profile are those of IN; a folder for several")
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
  command
      .add_option("--model", arguments.model,
                  fmt::format("folder of a GAN for --prior gan, or the name of one that came with "
                              "unmar (default {})",
                              kShippedGan))
      ->type_name("MODEL")
      ->group(group);
  if (task_info(a.task).needs_mask)
    show_in_short_help(
        command.add_option(
            "--mask", a.in.mask,
            "white: known, black: to be filled; a transparent layer that was drawn on, or "
            "a picture with holes erased, will do; without it the transparent and the NaN "
            "pixels of IN are filled"))
        ->type_name("MASK")
        ->group(group);
  declare_writing(command, a.out.writing);
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
  show_in_short_help(
      file("--preview", a.request.out.preview, "FILE.png",
           "a small picture of one that is restored in tiles, written anew as it grows"));
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
  show_in_short_help(
      command.add_flag("--estimate", a.estimate,
                       "print tiles, time and memory, from a few iterations, and do nothing"))
      ->group(group);
  command
      .add_option("--plan", a.plan,
                  "write a job list instead, for 'unmar work' in any number of processes and "
                  "machines, and 'unmar join'")
      ->type_name("JOBFILE")
      ->excludes(run)
      ->group(group);
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
  const TaskInfo& info = task_info(task);
  CLI::App* command =
      program.add_subcommand(info.name, fmt::format("{}\n\n{}", info.summary, info.details));
  command->footer(fmt::format("Examples:\n{}", info.examples));
  command->set_help_all_flag("--help-all", "show all options, those above are the most used ones");
  declare_files(*command, *arguments);
  for (const OptionSpec& spec : option_table())
    if (spec.serves(task)) declare_option(*command, spec, task, arguments->request.options);
  declare_reports(*command, *arguments);
  declare_run(*command, *arguments);
  arguments->pictures.declare(*command, true);
  arguments->pictures.declare_outliers(*command);
  arguments->pictures.declare_region(*command);
  command->callback([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace

void add_restore_commands(CLI::App& program, Action& chosen) {
  for (const Task task : all_tasks()) add_restore_command(program, task, chosen);
}

}  // namespace unmar::cli
