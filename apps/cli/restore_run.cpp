#include "restore_run.h"

#include <fmt/format.h>
#include <unmar/error.h>

#include <chrono>
#include <cstdio>

#include "interrupt.h"
#include "output_file.h"
#include "progress.h"
#include "report.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// The options with the files they name.
RestoreOptions with_files(const RestoreArguments& a) {
  RestoreOptions options = a.options;
  if (!a.network_file.empty())
    options.custom_network =
        network_from_json(read_text(a.network_file, "--network-file"), a.network_file.string());
  if (!a.guide.empty()) {
    if (!options.input) options.input = InputKind::guide;
    if (options.input == InputKind::guide)
      options.guide = std::make_shared<const Image>(a.pictures.read(a.guide));
  }
  return options;
}

/// A long fit must not end in "cannot write".
void check_outputs(const RestoreArguments& a) {
  check_writable(a.output);
  if (!a.history.empty()) check_text_writable(a.history, "--history");
  if (!a.manifest.empty()) check_text_writable(a.manifest, "--manifest");
  if (!a.snapshots.empty()) prepare_folder(a.snapshots, "--snapshots");
}

/// The snapshots have the type of the result.
fs::path snapshot_name(const RestoreArguments& a, int iteration) {
  return a.snapshots / (fmt::format("iteration_{:06}", iteration) + a.output.extension().string());
}

void announce(const RestoreArguments& a, const Image& input, const Restored& start) {
  if (a.quiet) return;
  const RestoreOptions& o = start.options;
  fmt::print(stderr, "{} {} ({})\n", to_string(a.task), a.input.string(), describe(input));
  fmt::print(stderr, "{} preset: network {}, {} parameters, {}{} iterations, engine {}\n",
             o.preset == Preset::paper ? "paper" : "quick", network_name(start.network),
             start.params, o.stop == StopRule::none ? "" : "at most ", *o.iterations,
             start.engine.name);
  fmt::print(stderr, "Ctrl-C stops and writes the best result so far\n");
}

Restored fit_picture(const RestoreArguments& a, const RestoreOptions& options, const Image& input,
                     const Image* mask, const Image* reference, Interrupt& interrupt) {
  const RestoreOptions resolved = resolve(a.task, options);
  Progress progress(to_string(a.task), resolved.stop != StopRule::none, a.quiet);
  RestoreContext context;
  context.reference = reference;
  context.cancel = interrupt.token();
  context.on_start = [&](const Restored& start) { announce(a, input, start); };
  context.on_iteration = [&](const FitProgress& state) {
    interrupt.poll();
    progress.update(state);
  };
  if (!a.snapshots.empty()) {
    context.preview_every = a.every;
    context.on_preview = [&](int iteration, const Image& preview) {
      write_image(snapshot_name(a, iteration), preview);
    };
  }
  Restored restored;
  try {
    restored = restore(a.task, input, mask, options, context);
  } catch (...) {
    progress.finish();
    throw;
  }
  progress.finish();
  return restored;
}

}  // namespace

int run_restore(const RestoreArguments& a) {
  const auto start = Clock::now();
  const std::string started = now_utc();

  // Everything that can be wrong is found before the fit.
  const RestoreOptions options = with_files(a);
  make_engine(resolve(a.task, options).engine.value());
  check_outputs(a);
  const Image input = a.pictures.read(a.input);
  const Image mask = a.mask.empty() ? Image() : a.pictures.read_mask(a.mask);
  const Image reference = a.reference.empty() ? Image() : a.pictures.read_like(input, a.reference);

  Interrupt interrupt;
  const Restored restored = fit_picture(a, options, input, a.mask.empty() ? nullptr : &mask,
                                        a.reference.empty() ? nullptr : &reference, interrupt);

  interrupt.hold_off();
  write_image(a.output, restored.image);
  if (!a.history.empty()) write_text(a.history, history_csv(restored.fit), "--history");
  const std::chrono::duration<double> total = Clock::now() - start;
  const Report report{a, restored, input, total.count(), started};
  if (!a.manifest.empty()) write_text(a.manifest, manifest_json(report), "--manifest");
  if (!a.quiet) fmt::print(stderr, "{}\n", summary(report));
  if (a.json) fmt::print("{}\n", result_json(report));
  return 0;
}

}  // namespace unmar::cli
