#include <fmt/format.h>
#include <unmar/runs/refine_run.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "declaration.h"
#include "help.h"
#include "interrupt.h"
#include "models_folder.h"
#include "option_flags.h"
#include "pictures.h"
#include "progress.h"

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
  std::string prior = "dip", start = "auto", consistency;
  bool quiet = false, json = false;
  PictureArguments pictures;
  std::vector<GivenOption> given;  ///< of the option table
};

/// Shows a refinement on the terminal and stops it by Ctrl-C.
class RefineConsole : public RefineObserver {
 public:
  RefineConsole(const RefineRequest& request, bool quiet)
      : request_(request),
        quiet_(quiet),
        fit_("prior", resolve(request.task, request.options.restore).stop != StopRule::none, quiet),
        chain_("chain", false, quiet) {}

  std::stop_token stop() const { return interrupt_.token(); }
  void progressed(const FitProgress& progress) override { fit_.update(progress); }
  void chain_started(const Refined& r) override {
    fit_.finish();
    if (!quiet_) announce(r);
    chain_started_ = Clock::now();
  }
  void stepped(const SampleProgress& progress) override {
    chain_.update_count(progress.done, progress.steps, seconds_since(chain_started_));
  }
  void writing() override {
    fit_.finish();
    chain_.finish();
    interrupt_.hold_off();
  }

 private:
  void announce(const Refined& r) const {
    std::string from = "from noise";
    if (r.options.prior_weight)
      from = fmt::format("from {} prior + {} noise", *r.options.prior_weight,
                         1 - *r.options.prior_weight);
    else if (r.options.from != StartFrom::noise)
      from =
          r.error && !r.options.start
              ? fmt::format("from the prior, its error put at {:.1f} of 255", 255 * r.error->rmse)
              : "from the prior";
    fmt::print(stderr, "chain {}: {} timesteps of {} from t0 = {}, consistency {}{}\n", from,
               r.timesteps, request_.options.sampler, r.start,
               to_string(r.options.consistency.value()),
               r.windows > 1 ? fmt::format(", {} windows", r.windows) : "");
  }

  const RefineRequest& request_;
  const bool quiet_;
  Interrupt interrupt_;
  Progress fit_, chain_;
  Clock::time_point chain_started_;
};

std::string summary(const RefineRequest& request, const RefineRunResult& run) {
  const Refined& r = run.refined;
  std::string text;
  if (r.fit)
    text += fmt::format("prior: {} iterations in {:.1f} s\n", r.fit->fit.iterations,
                        r.fit_time.seconds);
  text += fmt::format("{}: {} network evaluations{} in {:.1f} s, from t0 = {}; in all {:.1f} s\n",
                      r.cancelled ? "stopped by you" : "chain", r.evaluations,
                      r.gradients ? fmt::format(" and {} gradients", r.gradients) : "",
                      r.chain_time.seconds, r.start, run.seconds);
  if (r.psnr && r.psnr_prior)
    text +=
        fmt::format("PSNR {:.2f} -> prior {:.2f} -> {:.2f} dB, SSIM {:.4f} -> {:.4f} -> {:.4f}\n",
                    *r.psnr_input, *r.psnr_prior, *r.psnr, *r.ssim_input, *r.ssim_prior, *r.ssim);
  else if (r.psnr)
    text += fmt::format("PSNR {:.2f} -> {:.2f} dB, SSIM {:.4f} -> {:.4f}\n", *r.psnr_input, *r.psnr,
                        *r.ssim_input, *r.ssim);
  return text + fmt::format("wrote {} ({})", request.result.string(), describe(r.image));
}

RefineRequest request_of(const RefineArguments& a) {
  RefineRequest request = a.request;
  RefineOptions& o = request.options;
  request.task = task_named(a.task);
  request.in.reading = a.pictures.read_options(a.request.in.picture);
  o.from = a.prior == "none"    ? StartFrom::noise
           : a.prior == "input" ? StartFrom::input
                                : StartFrom::prior;
  if (o.from == StartFrom::prior)
    parse_option(o.restore, request.task, option_spec("prior"), a.prior);
  o.start = parse_start(a.start);
  if (!a.consistency.empty()) o.consistency = consistency_named(a.consistency);
  for (const GivenOption& given : a.given)
    parse_option(o.restore, request.task, *given.spec, given.text);
  request.model_name = a.model;
  request.model = model_folder(a.model);
  return request;
}

int run(const RefineArguments& a) {
  const RefineRequest request = request_of(a);
  RefineConsole console(request, a.quiet);
  const RefineRunResult result = unmar::run(request, console, console.stop());
  if (!a.quiet) fmt::print(stderr, "{}\n", summary(request, result));
  if (a.json) fmt::print("{}\n", result_json(request, result));
  return 0;
}

bool serves_refine(const OptionSpec& spec) {
  if (spec.name == "strength") return false;  // of a result without a chain behind it
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
  d.add("-o,--output", a.request.result, "OUT", "where to write the result")->required();
  d.add("--model", a.model, "MODEL",
        "a diffusion model: the name of one that came with unmar, or a folder as the library "
        "diffusers writes them and 'unmar ddpm train' does")
      ->required();
  d.add("--mask", a.request.in.mask, "MASK",
        "with --task inpaint: white is known, black to be filled");
  d.add("--reference", a.request.in.reference, "CLEAN",
        "the undamaged picture, if you have it: adds PSNR and SSIM, never changes the result");
  d.add("--save-prior", a.request.save_prior, "PICTURE",
        "where to write what the chain starts from, before the noise; .tif keeps all its digits");
  d.add("--prior-file", a.request.prior_file, "PICTURE",
        "a picture to start from instead of a fit, say of an earlier --save-prior");
}

void declare_chain(Declaration& d, RefineArguments& a) {
  RefineOptions& o = a.request.options;
  d.group("Chain");
  d.add("--task", a.task, "TASK", "what the damage is: denoise, inpaint or upscale")
      ->required()
      ->check(one_of(refined_tasks()));
  CLI::Option* prior =
      d.add("--prior", a.prior, "dip|input|none",
            "what the chain starts from; dip: the fit; input: IN itself, which takes no time, "
            "enlarged by bicubic, missing pixels black; none: noise alone (default dip)")
          ->check(one_of({"dip", "input", "none"}));
  show_in_short_help(prior);
  d.add("--start", a.start, "auto|T0",
        "timestep t0 at which the prior enters the chain; auto: where the noise drowns "
        "the prior's estimated error (default auto)");
  d.add("--entry-factor", o.entry_factor, "X",
        "with --start auto: how many times the prior's error the noise is (default 2, denoise 1)")
      ->check(in_range(0.01, 100));
  d.add("--sampler", o.sampler, "ddpm|ddim|dpm-solver++",
        "how the chain steps; ddpm draws fresh noise, ddim as much as --eta says, "
        "dpm-solver++ none (default ddim)")
      ->check(one_of({"ddpm", "ddim", "dpm-solver++"}));
  CLI::Option* steps =
      d.add("--steps", o.steps, "N", "calls of the model between t0 and the end (default 50)")
          ->check(whole_in_range(1, 1'000'000));
  show_in_short_help(steps);
  d.add("--eta", o.eta, "X",
        "fresh noise of ddim, 1 for as much as ddpm (default 0.85; with --consistency none 0)")
      ->check(in_range(0, 1));
  d.add("--consistency", a.consistency, "none|ddnm|repaint|dps",
        "what ties each step to IN; ddnm: the part that the damage lets through is IN's, "
        "as far as noise allows; repaint: known pixels are pasted; dps: the gradient of "
        "the distance to IN, three times as slow (default ddnm, to denoise none)")
      ->check(one_of({"none", "ddnm", "repaint", "dps"}));
  d.add("--dps-scale", o.dps_scale, "X", "length of the steps of dps (default 1)")
      ->check(in_range(0, 1000));
  d.add("--overlap", o.overlap, "N",
        "of the windows that a picture larger than the model's is cut into, at least "
        "(px, default a quarter of the window)")
      ->check(whole_in_range(0, 4096));
  d.add("--prior-weight", o.prior_weight, "W",
        "for comparison only: start from W times the prior plus 1 - W times noise at the "
        "noisiest timestep, which no model was trained for")
      ->check(in_range(0, 1));
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
  declare_writing(*command, arguments->request.writing);
  declare_chain(d, *arguments);
  d.group("Reports");
  d.add("--manifest", arguments->request.manifest, "FILE.json",
        "all options, versions and facts of the fit and the chain, the model's SHA-256 among them");
  d.flag("--quiet", arguments->quiet, "say nothing but errors");
  d.flag("--json", arguments->json, "print the facts of the result as one JSON line on stdout");
  for (const OptionSpec& spec : option_table())
    if (spec.name != "prior" && serves_refine(spec))
      declare_option(*command, spec, arguments->given);
  arguments->pictures.declare(*command);
  command->callback([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace unmar::cli
