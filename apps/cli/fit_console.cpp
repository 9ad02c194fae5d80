#include "fit_console.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include <unmar/base/process.h>
#include "console.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

std::string fits_in_words(const RestoreOptions& o, int tiles) {
  if (o.prior == FitPrior::gan)
    return fmt::format("{} starts of {} iterations, then {}{} of the weights", *o.starts,
                       *o.iterations, o.stop == StopRule::none ? "" : "at most ",
                       *o.weight_iterations);
  const std::string count = tiles > 1     ? fmt::format("{} tiles, each ", tiles)
                            : *o.runs > 1 ? fmt::format("the mean of {} fits, each ", *o.runs)
                                          : "";
  return fmt::format("{}{}{} iterations", count, o.stop == StopRule::none ? "" : "at most ",
                     *o.iterations);
}

std::string engine_in_words(const EngineInfo& engine) {
  const std::string name =
      engine.name == "cuda" ? fmt::format("cuda, {}", engine.description) : engine.name;
  return engine.choice.empty() ? name : fmt::format("{} ({})", name, engine.choice);
}

void announce(const RunStart& run) {
  const Restored& start = run.start;
  const RestoreOptions& o = start.options;
  const FitRequest& request = run.request;
  say("{} {} ({})", to_string(request.task), request.in.picture.string(), describe(run.input));
  say_warning(request.in.picture, run.input.source);
  if (const std::string words = in_words(start.values); !words.empty()) say("{}", words);
  if (start.noise) say("{}", to_string(*start.noise));
  if (o.method == Method::patches) return;
  if (run.tiles) {
    say("in {} tiles of {} px, each with a fit of its own", run.tiles->count, run.tiles->size);
    if (run.tiles->estimate) say("{}", in_words(*run.tiles->estimate, o.threads.value()));
    return say("Ctrl-C stops and writes what is done");
  }
  say("{} preset: network {}, {} parameters, {}, engine {}",
      to_text(option_spec("preset").get(o).value()), fitted_network(start), start.params,
      fits_in_words(o, start.tiles), engine_in_words(start.engine));
  if (task_info(request.task).needs_mask && !request.options.skip && o.skip == 0)
    say("a large hole: as with --skip 0 --input meshgrid");
  say("Ctrl-C stops and writes the best result so far");
}

}  // namespace

std::string in_words(const TileEstimate& estimate, int threads) {
  const int cores = thread_count(threads);
  const int at_once = std::min(cores, estimate.tiles);
  const double bytes =
      static_cast<double>(estimate.picture) + at_once * static_cast<double>(estimate.memory);
  const std::string time = estimate.core_seconds > 0
                               ? "about " + duration(estimate.core_seconds * estimate.tiles / cores)
                               : "no telling how long";
  return fmt::format("{} on {} {} and {:.1f} GiB", time, cores, cores == 1 ? "core" : "cores",
                     bytes / 0x1p30);
}

void FitConsole::file(int number, int all) {
  file_ = {number, all};
  page_ = {};
  if (!options_.quiet) say("{}file {} of {}", number > 1 ? "\n" : "", number, all);
}

void FitConsole::page(int number, int all) { page_ = {number, all, page_.start}; }

void FitConsole::started(const RunStart& start) {
  constexpr int kLarge = 20;  ///< tiles; their result takes a while to write
  output_ = start.request.out.result.string();
  large_ = start.tiles && start.tiles->count >= kLarge && !output_.empty();
  progress_.emplace(to_string(start.request.task), start.start.options.stop != StopRule::none,
                    options_.quiet, page_);
  if (options_.quiet || page_.number > 1) return;
  announce(start);
  if (start.resumed)
    say("{}", start.has_checkpoint ? "going on from the checkpoint"
                                   : "there is no checkpoint yet: from the beginning");
}

void FitConsole::filtered(double share) {
  if (share < last_share_) filter_start_ = Clock::now();
  last_share_ = share;
  progress_->update_share("patches", share, seconds_since(filter_start_));
}

void FitConsole::first_result(const Candidate& first, bool written) {
  progress_->finish();
  if (options_.quiet) return;
  say("patches: {:.1f} s{}{}; the fit goes on", first.seconds,
      first.psnr ? fmt::format(", PSNR {:.2f} dB", *first.psnr) : "",
      written ? "; wrote " + output_ : "");
}

void FitConsole::progressed(const FitProgress& progress) { progress_->update(progress); }

void FitConsole::tiled(const TileProgress& progress) { progress_->update_tiles(progress); }

void FitConsole::warned(const std::string& text) {
  if (progress_) progress_->finish();
  say("warning: {}", text);
}

void FitConsole::writing() {
  if (!options_.several) interrupt_.hold_off();
  if (progress_) progress_->finish();
  if (large_ && !options_.quiet) say("writing {}", output_);
}

void FitConsole::finished(const FitRequest& request, const RunResult& result) {
  if (page_.all > 1 && progress_) progress_->finish();
  if (!options_.quiet) {
    const bool unfinished = result.restored.fit.stopped_by == StoppedBy::cancelled;
    if (unfinished && !options_.folder.empty())
      say("'unmar resume {}' goes on from here", options_.folder);
    const std::string page = page_.all > 1 ? fmt::format("page {}: ", request.in.reading.page) : "";
    say("{}{}", page, summary(request, result));
  }
  if (options_.json) print("{}\n", result_json(request, result));
}

}  // namespace unmar::cli
