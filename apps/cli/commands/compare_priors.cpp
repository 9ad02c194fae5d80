#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/files.h>
#include <unmar/report/report.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "console.h"
#include "declaration.h"
#include "interrupt.h"
#include "models_folder.h"
#include "option_flags.h"
#include "pictures.h"
#include "progress.h"

namespace unmar::cli {
namespace {

constexpr const char* kDescription =
    "Damage a clean picture, restore it by each prior, and show them side by side\n\n"
    "Compares an untrained network (DIP), a GAN, a diffusion model (DDPM) and the model that "
    "starts\n"
    "from the fit (DIP→DDPM), at the same budget: DIP runs until it stops itself, and the others\n"
    "get as many multiplications. The page shows pictures, errors, PSNR, SSIM, time and what was\n"
    "learnt from.";
constexpr const char* kExamples =
    "Examples:\n"
    "  unmar compare-priors shirt.png --damage noise:25 -o page.html\n"
    "  unmar compare-priors photo.png --damage shrink:4 -o page.html --gan none --ddpm MODEL";

struct PriorsArguments {
  std::filesystem::path picture, page;
  std::string damage, gan = kShippedGan, ddpm = "fashion-mnist";
  bool quiet = false, json = false;
  PictureArguments pictures;
  std::vector<GivenOption> given;  ///< of the option table
};

std::string command_line(const PriorsArguments& a) {
  std::string text = fmt::format("unmar compare-priors {} --damage {} -o {} --gan {} --ddpm {}",
                                 a.picture.string(), a.damage, a.page.string(), a.gan, a.ddpm);
  for (const GivenOption& given : a.given)
    text += fmt::format(" --{} {}", given.spec->name, given.text);
  return text;
}

void print_json(const PriorsComparison& all) {
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const PriorResult& r : all.results) {
    nlohmann::ordered_json one = {
        {"name", r.name}, {"seconds", r.seconds},       {"cpu_seconds", r.cpu_seconds},
        {"macs", r.macs}, {"iterations", r.iterations}, {"evaluations", r.evaluations}};
    if (r.image.empty())
      one["why_not"] = r.why_not;
    else
      one.update({{"psnr", r.psnr}, {"ssim", r.ssim}});
    results.push_back(std::move(one));
  }
  const nlohmann::ordered_json json = {
      {"psnr_input", all.psnr_input}, {"ssim_input", all.ssim_input}, {"results", results}};
  print("{}\n", json.dump());
}

void say_result(const PriorResult& r) {
  if (r.image.empty())
    say("{}: no picture: {}", r.name, r.why_not);
  else
    say("{}: {:.2f} dB, SSIM {:.4f}, {:.1f} s", r.name, r.psnr, r.ssim, r.seconds);
}

int run(const PriorsArguments& a) {
  check_text_writable(a.page, "-o");
  const Image clean = a.pictures.read(a.picture);
  RestoreOptions options;
  DamagedPicture damaged = damage_picture(clean, a.damage, 0);  // the options depend on its task
  for (const GivenOption& given : a.given)
    parse_option(options, damaged.task, *given.spec, given.text);
  const auto seed = static_cast<std::uint64_t>(options.seed.value_or(0));
  if (seed != 0) damaged = damage_picture(clean, a.damage, seed);
  std::optional<DiffusersModel> ddpm;
  if (a.ddpm != "none") ddpm = read_diffusers(model_folder(a.ddpm));
  std::shared_ptr<const GanModel> gan;
  if (a.gan != "none") gan = std::make_shared<const GanModel>(read_gan(model_folder(a.gan)));

  Interrupt interrupt;
  Progress progress("", false, a.quiet);
  ComparePriorsContext context;
  context.cancel = interrupt.token();
  std::string shown;
  Clock::time_point begun;
  context.on_progress = [&](const std::string& part, double share) {
    if (std::exchange(shown, part) != part) begun = Clock::now();
    progress.update_share(part, share, seconds_since(begun));
  };
  context.on_result = [&](const PriorResult& result) {
    progress.finish();
    if (!a.quiet) say_result(result);
  };
  const PriorsComparison all = compare_priors(
      std::move(damaged), options,
      {.gan = gan, .ddpm = ddpm ? &*ddpm : nullptr, .gan_name = a.gan, .ddpm_name = a.ddpm},
      context);
  progress.finish();
  interrupt.hold_off();
  if (all.results.empty())
    throw Error(ErrorCode::cancelled,
                "compare-priors: stopped before the first prior was done; nothing is written");
  write_text(
      a.page,
      report_page(priors_json(all, a.picture.filename().string(), a.damage, command_line(a))),
      "-o");
  if (!a.quiet)
    say("wrote {}{}", a.page.string(),
        all.cancelled ? "; stopped by you, the others are missing" : "");
  if (a.json) print_json(all);
  return 0;
}

}  // namespace

void add_compare_priors_command(CLI::App& program, Action& chosen) {
  // The command's callbacks outlive this function and write to one object: hence shared.
  const auto a = std::make_shared<PriorsArguments>();
  CLI::App* command = program.add_subcommand("compare-priors", kDescription);
  command->footer(kExamples);
  Declaration d(*command);
  d.group("Files");
  d.positional("PICTURE", a->picture, "the clean picture")->required();
  d.add("-o,--output", a->page, "PAGE.html", "where to write the page")->required();
  d.add("--damage", a->damage, "DAMAGE",
        "noise:SIGMA (0-255 scale), missing:FRACTION, shrink:FACTOR or blur:KERNEL, as 'unmar "
        "degrade' has them")
      ->required();
  d.add("--gan", a->gan, "MODEL",
        "the GAN: the name of one that came with unmar, a folder, or none");
  d.add("--ddpm", a->ddpm, "MODEL",
        "the diffusion model: the name of one that came with unmar, a folder, or none");
  d.group("Reports");
  d.flag("--quiet", a->quiet, "say nothing but errors");
  d.flag("--json", a->json, "print the numbers as one JSON line on stdout");
  constexpr std::array kServing{"preset", "iterations", "seed", "threads", "engine"};
  for (const OptionSpec& spec : option_table())
    if (std::ranges::find(kServing, spec.name) != kServing.end())
      declare_option(*command, spec, a->given);
  a->pictures.declare(*command);
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
