#include <unmar/base/process.h>
#include <unmar/runs/gan.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "console.h"
#include "declaration.h"
#include "interrupt.h"
#include "models_folder.h"
#include "option_flags.h"
#include "samples_output.h"

namespace unmar::cli {
namespace {

struct GanSampleArguments {
  std::string model = kShippedGan;
  SamplesOutput output;
  GanSamplesRequest request;
  bool quiet = false, json = false;
};

int run(const GanSampleArguments& a) {
  const Clock::time_point start = Clock::now();
  const GanModel model = read_gan(model_folder(a.model));
  a.output.check();
  Interrupt interrupt;
  const std::vector<Image> pictures = draw_samples(model, a.request, interrupt.token());
  interrupt.hold_off();
  if (pictures.empty()) {
    say("stopped by you before a sample was done; nothing was written");
    return 0;
  }
  a.output.write(pictures);
  const double seconds = seconds_since(start);
  if (!a.quiet) say("{} samples in {:.2f} s", pictures.size(), seconds);
  if (a.json)
    print("{{\"samples\":{},\"seconds\":{:.3f},\"peak_memory_mib\":{:.1f}}}\n", pictures.size(),
          seconds, peak_memory_mib());
  return 0;
}

}  // namespace

void add_gan_sample_command(CLI::App& gan, Action& chosen) {
  const auto a = std::make_shared<GanSampleArguments>();  // shared with the callback below
  CLI::App* command =
      gan.add_subcommand("sample", "Draw new pictures with a GAN\n\nSame seed, same pictures.");
  command->footer(
      "Examples:\n"
      "  unmar gan sample -n 64 -o sheet.png\n"
      "  unmar gan sample my-gan -n 64 -o sheet.png --seed 1\n"
      "  unmar gan sample my-gan -n 1000 -o pictures");
  Declaration d(*command);
  d.group("Files");
  d.positional(
      "MODEL", a->model,
      fmt::format("folder of a model, or the name of one that came with unmar (default {})",
                  kShippedGan));
  declare_output(d, a->output);
  declare_options(*command, gan_sampling_options(), a->request, "gan sample");
  declare_sheet(d, a->output);
  d.group("Reports");
  d.flag("--quiet", a->quiet, "say nothing but errors");
  d.flag("--json", a->json, "print the facts of the result as one JSON line on stdout");
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
