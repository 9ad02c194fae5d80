#include <fmt/format.h>
#include <unmar/runs/refine_run.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "declaration.h"
#include "fit_console.h"
#include "help.h"
#include "models_folder.h"
#include "option_flags.h"
#include "pictures.h"
#include "refine_console.h"

namespace unmar::cli {
namespace {

constexpr const char* kDescription =
    "Restore a picture with an untrained network, then with a trained diffusion model\n\n"
    "A network is fitted to the damaged picture as denoise, inpaint and upscale do. Its result, "
    "noised\njust so much that its errors drown, is where the model's reverse chain starts; each "
    "step is tied\nto the damaged picture. The model must have been trained on pictures of the "
    "same kind.";
constexpr const char* kExamples =
    "Examples:\n"
    "  unmar refine noisy.png -o clean.png --task denoise --sigma 50 --model MODEL\n"
    "  unmar refine torn.png -o whole.png --task inpaint --mask mask.png --model MODEL\n"
    "  unmar refine small.png -o large.png --task upscale --factor 4 --model MODEL --prior none";

/// What the command line says. Empty paths: not asked for.
struct RefineArguments {
  std::string task, model;
  RefineRequest request;
  std::filesystem::path run;  ///< folder that it is kept in
  bool quiet = false, json = false, estimate = false;
  PictureArguments pictures;
  std::vector<GivenOption> given;  ///< of the option table
};

RefineRequest request_of(const RefineArguments& a) {
  RefineRequest request = a.request;
  request.task = task_named(a.task);
  request.in.reading = a.pictures.read_options(a.request.in.picture);
  for (const GivenOption& given : a.given)
    parse_option(request.options.restore, request.task, *given.spec, given.text);
  request.model_name = a.model;
  request.model = model_folder(a.model);
  return request;
}

int run(const RefineArguments& a) {
  const RefineRequest request = request_of(a);
  if (a.estimate) {
    print_estimate(request, request.options.restore.threads);
    return 0;
  }
  RefineConsole console({a.quiet, a.json, a.run.string()});
  const RefineRunResult result = unmar::run(request, a.run, console, console.stop());
  return result.tiled && result.tiled->tiling->failed ? 1 : 0;
}

bool serves_refine(const OptionSpec& spec) {
  // Of a result without a chain behind it.
  if (spec.name == "strength" || spec.for_gan) return false;
  return spec.tasks.empty() || std::any_of(spec.tasks.begin(), spec.tasks.end(),
                                           [](Task task) { return task_info(task).refines; });
}

std::vector<std::string> refined_tasks() {
  std::vector<std::string> names;
  for (const Task task : all_tasks())
    if (task_info(task).refines) names.emplace_back(to_string(task));
  return names;
}

void declare_files(Declaration& d, RefineArguments& a) {
  d.group("Files");
  d.positional("IN", a.request.in.picture, "the damaged picture: PNG, TIFF, JPEG, WebP or FITS")
      ->required();
  d.add("-o,--output", a.request.out.result, "OUT", "where to write the result")->required();
  d.add("--task", a.task, "TASK", "what the damage is: denoise, inpaint or upscale")
      ->required()
      ->check(one_of(refined_tasks()));
  d.add("--model", a.model, "MODEL",
        "a diffusion model: the name of one that came with unmar, or a folder as the library "
        "diffusers writes them and 'unmar ddpm train' does")
      ->required();
  d.add("--mask", a.request.in.mask, "MASK",
        "with --task inpaint: white is known, black to be filled; without it the transparent and "
        "the NaN pixels are");
  d.add("--reference", a.request.in.reference, "CLEAN",
        "the undamaged picture, if you have it: adds PSNR and SSIM, never changes the result");
  d.add("--save-prior", a.request.save_prior, "PICTURE",
        "where to write what the chain starts from, before the noise; .tif keeps all its digits");
  d.add("--prior-file", a.request.prior_file, "PICTURE",
        "a picture to start from instead of a fit, say of an earlier --save-prior");
}

}  // namespace

void add_refine_command(CLI::App& program, Action& chosen) {
  // The command's callbacks outlive this function and write to one object: hence shared.
  const auto arguments = std::make_shared<RefineArguments>();
  CLI::App* command = program.add_subcommand("refine", kDescription);
  command->footer(kExamples);
  command->set_help_all_flag("--help-all", "show all options, those above are the most used ones");
  Declaration d(*command);
  declare_files(d, *arguments);
  declare_writing(*command, arguments->request.out.writing);
  declare_options(*command, refine_options(), arguments->request.options, "refine");
  d.group("Reports");
  d.add("--preview", arguments->request.out.preview, "FILE.png",
        "a small picture of one that is refined in tiles, written anew as it grows");
  d.add("--manifest", arguments->request.out.manifest, "FILE.json",
        "all options, versions and facts of the fit and the chain, the model's SHA-256 among them");
  d.flag("--quiet", arguments->quiet, "say nothing but errors");
  d.flag("--json", arguments->json, "print the facts of the result as one JSON line on stdout");
  d.group("Long runs");
  show_in_short_help(d.add(
      "--run", arguments->run, "DIR",
      "new folder to keep the fit of the prior or the finished tiles in, so that 'unmar resume' "
      "can go on with it"));
  d.flag("--estimate", arguments->estimate,
         "print tiles, time and memory, from a few iterations, and do nothing");
  d.add("--checkpoint-every", arguments->request.cadence.checkpoint_seconds, "SECONDS",
        "seconds between the states that are saved (default 60)")
      ->check(in_range(0, 1e6));
  for (const OptionSpec& spec : option_table())
    if (spec.name != "prior" && serves_refine(spec))
      declare_option(*command, spec, arguments->given);
  arguments->pictures.declare(*command);
  arguments->pictures.declare_outliers(*command);
  arguments->pictures.declare_region(*command);
  command->callback([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace unmar::cli
