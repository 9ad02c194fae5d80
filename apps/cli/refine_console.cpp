#include "refine_console.h"

#include <fmt/format.h>

#include "console.h"
#include "fit_console.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

void announce_chain(const Refined& r) {
  if (const std::string words = in_words(r.values); !words.empty()) say("{}", words);
  std::string from = "from noise";
  if (r.options.prior_weight)
    from = fmt::format("from {} prior + {} noise", *r.options.prior_weight,
                       1 - *r.options.prior_weight);
  else if (r.options.from != StartFrom::noise)
    from = r.error && !r.options.start
               ? fmt::format("from the prior, its error put at {:.1f} of 255", 255 * r.error->rmse)
               : "from the prior";
  say("chain {}: {} timesteps of {} from t0 = {}, consistency {}{}", from, r.timesteps,
      r.options.sampler, r.start, to_string(r.options.consistency.value()),
      r.windows > 1 ? fmt::format(", {} windows", r.windows) : "");
}

std::string refinement_summary(const RefineRequest& request, const RefineRunResult& run) {
  if (run.tiled) return summary(fit_request_of(request), *run.tiled);
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
  return text + fmt::format("wrote {} ({})", request.out.result.string(), describe(r.image));
}

}  // namespace

void RefineConsole::started(const RefineRequest& request, bool has_checkpoint) {
  const RestoreOptions resolved = resolve(request.task, request.options.restore);
  fit_.emplace("prior", resolved.stop != StopRule::none, options_.quiet);
  if (has_checkpoint && !options_.quiet) say("going on from the checkpoint");
}

void RefineConsole::chain_started(const Refined& refined) {
  fit_->finish();
  if (!options_.quiet) announce_chain(refined);
  chain_started_ = Clock::now();
}

void RefineConsole::stepped(const SampleProgress& progress) {
  chain_.update_count(progress.done, progress.steps, seconds_since(chain_started_));
}

void RefineConsole::tiles_started(const RefineRequest& request, const RunStart& run) {
  fit_.emplace("refine", true, options_.quiet);
  if (options_.quiet) return;
  say("refine {} ({})", request.in.picture.string(), describe(run.input));
  say_warning(request.in.picture, run.input.source);
  if (const std::string words = in_words(run.start.values); !words.empty()) say("{}", words);
  say("in {} tiles of {} px, each with {}a chain of its own", run.tiles->count, run.tiles->size,
      has_fit(request) ? "a fit and " : "");
  if (run.tiles->estimate)
    say("{}", in_words(*run.tiles->estimate, run.start.options.threads.value()));
  if (run.resumed) say("going on with the tiles that are not done");
  say("Ctrl-C stops and writes what is done");
}

void RefineConsole::warned(const std::string& text) {
  fit_->finish();
  say("warning: {}", text);
}

void RefineConsole::writing() {
  fit_->finish();
  chain_.finish();
  interrupt_.hold_off();
}

void RefineConsole::finished(const RefineRequest& request, const RefineRunResult& result) {
  if (!options_.quiet) {
    say("{}", refinement_summary(request, result));
    const bool failed = result.tiled && result.tiled->tiling->failed;
    if ((result.refined.cancelled || failed) && !options_.folder.empty())
      say("'unmar resume {}' goes on from here", options_.folder);
  }
  if (options_.json) print("{}\n", result_json(request, result));
}

}  // namespace unmar::cli
