#include <CLI/CLI.hpp>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "refine_run.h"

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

void declare_files(CLI::App& command, RefineArguments& a) {
  const char* group = "Files";
  const auto file = [&](const char* name, std::filesystem::path& path, const char* type,
                        const char* help) {
    return command.add_option(name, path, help)->type_name(type)->group(group);
  };
  command.add_option("IN", a.input, "the damaged picture: PNG, TIFF, JPEG, WebP or FITS")
      ->required()
      ->group(group);
  file("-o,--output", a.output, "OUT", "where to write the result")->required();
  command
      .add_option("--model", a.model,
                  "a diffusion model: the name of one that came with unmar, or a folder as the "
                  "library diffusers writes them and 'unmar ddpm train' does")
      ->required()
      ->type_name("MODEL")
      ->group(group);
  file("--mask", a.mask, "MASK", "with --task inpaint: white is known, black to be filled");
  file("--reference", a.reference, "CLEAN",
       "the undamaged picture, if you have it: adds PSNR and SSIM, never changes the result");
  file("--save-prior", a.save_prior, "PICTURE",
       "where to write what the chain starts from, before the noise; .tif keeps all its digits");
  file("--prior-file", a.prior_file, "PICTURE",
       "a picture to start from instead of a fit, say of an earlier --save-prior");
}

void declare_chain(CLI::App& command, RefineArguments& a) {
  const char* group = "Chain";
  RefineOptions& o = a.options;
  command.add_option("--task", a.task, "what the damage is: denoise, inpaint or upscale")
      ->required()
      ->type_name("TASK")
      ->check(one_of({"denoise", "inpaint", "upscale"}))
      ->group(group);
  command
      .add_option(
          "--prior", a.prior,
          "what the chain starts from; dip: the fit; input: IN itself, which takes no time, "
          "enlarged by bicubic, missing pixels black; none: noise alone (default dip)")
      ->type_name("dip|input|none")
      ->check(one_of({"dip", "input", "none"}))
      ->group(group);
  command
      .add_option("--start", a.start,
                  "timestep t0 at which the prior enters the chain; auto: where the noise is twice "
                  "the prior's estimated error (default auto)")
      ->type_name("auto|T0")
      ->group(group);
  command
      .add_option("--entry-factor", o.entry_factor,
                  "with --start auto: how many times the prior's error the noise is (default 2)")
      ->type_name("X")
      ->check(in_range(0.01, 100))
      ->group(group);
  command
      .add_option("--sampler", o.sampler,
                  "how the chain steps; ddpm draws fresh noise, ddim as much as --eta says, "
                  "dpm-solver++ none (default ddim)")
      ->type_name("ddpm|ddim|dpm-solver++")
      ->check(one_of({"ddpm", "ddim", "dpm-solver++"}))
      ->group(group);
  command.add_option("--steps", o.steps, "calls of the model between t0 and the end (default 50)")
      ->type_name("N")
      ->check(whole_in_range(1, 1'000'000))
      ->group(group);
  command
      .add_option("--eta", o.eta,
                  "fresh noise of ddim, 1 for as much as ddpm (default 0.85; with --consistency "
                  "none 0)")
      ->type_name("X")
      ->check(in_range(0, 1))
      ->group(group);
  command
      .add_option("--consistency", a.consistency,
                  "what ties each step to IN; ddnm: the part that the damage lets through is IN's, "
                  "as far as noise allows; repaint: known pixels are pasted; dps: the gradient of "
                  "the distance to IN, three times as slow (default ddnm, to denoise none)")
      ->type_name("none|ddnm|repaint|dps")
      ->check(one_of({"none", "ddnm", "repaint", "dps"}))
      ->group(group);
  command.add_option("--dps-scale", o.dps_scale, "length of the steps of dps (default 1)")
      ->type_name("X")
      ->check(in_range(0, 1000))
      ->group(group);
  command
      .add_option("--overlap", o.overlap,
                  "of the windows that a picture larger than the model's is cut into, at least "
                  "(px, default a quarter of the window)")
      ->type_name("N")
      ->check(whole_in_range(0, 4096))
      ->group(group);
  command
      .add_option("--prior-weight", o.prior_weight,
                  "for comparison only: start from W times the prior plus 1 - W times noise at the "
                  "noisiest timestep, which no model was trained for")
      ->type_name("W")
      ->check(in_range(0, 1))
      ->group(group);
}

}  // namespace

void add_refine_command(CLI::App& program, Action& chosen) {
  // The command's callbacks outlive this function and write to one object: hence shared.
  const auto arguments = std::make_shared<RefineArguments>();
  CLI::App* command = program.add_subcommand("refine", kDescription);
  command->footer(kExamples);
  declare_files(*command, *arguments);
  declare_chain(*command, *arguments);
  command->add_flag("--quiet", arguments->quiet, "say nothing but errors")->group("Reports");
  command
      ->add_flag("--json", arguments->json,
                 "print the facts of the result as one JSON line on stdout")
      ->group("Reports");
  for (const OptionSpec& spec : option_table())
    if (spec.name != "prior") declare_option(*command, spec, arguments->given);
  arguments->pictures.declare(*command);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_refine(*arguments); }; });
}

}  // namespace unmar::cli
