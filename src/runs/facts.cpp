#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "runs/json.h"
#include "runs/manifest.h"
#include "unmar/base/process.h"
#include "unmar/gan/model.h"
#include "unmar/runs/run.h"

namespace unmar {
namespace {

using Json = nlohmann::ordered_json;
using runs::number;

Json noise_facts(const std::optional<NoiseModel>& noise) {
  if (!noise) return nullptr;
  Json object = {{"kind", to_string(noise->kind)}, {"sigma", noise->sigma * 255}};
  if (noise->kind == NoiseKind::poisson)
    object.update(Json{{"gain", noise->gain * 255},
                       {"offset", noise->offset * 255 * 255},
                       {"poisson_share", noise->poisson_share}});
  else
    for (const double sigma : noise->channels) object["channels"].push_back(sigma * 255);
  object["correlation"] = noise->correlation;
  if (noise->kind == NoiseKind::correlated) object["reach"] = noise->reach;
  object["impulses"] = noise->impulses;
  return object;
}

Json candidate_facts(const std::vector<Candidate>& candidates) {
  Json list = Json::array();
  for (const Candidate& c : candidates)
    list.push_back({{"name", c.name},
                    {"weight", c.weight},
                    {"hidden_error", c.error ? Json(*c.error * 255 * 255) : Json(nullptr)},
                    {"seconds", c.seconds},
                    {"psnr", number(c.psnr)}});
  return list;
}

/// "60 % patches, 40 % dip"
std::string blend_in_words(const std::vector<Candidate>& candidates) {
  std::string text;
  for (const Candidate& c : candidates)
    if (c.weight > 0)
      text += fmt::format("{}{:.0f} % {}", text.empty() ? "" : ", ", 100 * c.weight, c.name);
  return text;
}

struct Spread {
  int least = 0, most = 0;
  double mean = 0;
};

/// Of the iterations of the tiles that were fitted.
Spread iterations_of(const TilingFacts& tiling) {
  Spread spread;
  int count = 0;
  for (const TileFacts& tile : tiling.tiles) {
    if (tile.iterations == 0) continue;
    spread.least = count == 0 ? tile.iterations : std::min(spread.least, tile.iterations);
    spread.most = std::max(spread.most, tile.iterations);
    spread.mean += tile.iterations;
    ++count;
  }
  spread.mean /= std::max(count, 1);
  return spread;
}

Json tiling_facts(const TilingFacts& tiling) {
  Json tiles = Json::array();
  for (const TileFacts& tile : tiling.tiles)
    tiles.push_back({{"tile", tile.tile},
                     {"had_work", tile.had_work},
                     {"iterations", tile.iterations},
                     {"best_iteration", tile.best_iteration},
                     {"stopped", tile.stopped},
                     {"seconds", tile.seconds}});
  const Spread iterations = iterations_of(tiling);
  return {{"size", tiling.size},
          {"count", tiling.count},
          {"done", tiling.tiles.size()},
          {"failed", tiling.failed},
          {"iterations",
           {{"least", iterations.least}, {"most", iterations.most}, {"mean", iterations.mean}}},
          {"tiles", tiles}};
}

std::string tiling_in_words(const RunResult& run) {
  const TilingFacts& tiling = *run.tiling;
  const auto done = static_cast<int>(tiling.tiles.size());
  const auto with_work = std::ranges::count_if(tiling.tiles, &TileFacts::had_work);
  std::string text =
      done == tiling.count
          ? fmt::format("{} tiles of {} px in {:.1f} s", done, tiling.size, run.seconds)
          : fmt::format(
                "{} after {:.1f} s: {} of {} tiles are restored, the others are as they came",
                tiling.failed ? "ended" : "stopped by you", run.seconds, done, tiling.count);
  if (with_work < done) text += fmt::format("; in {} nothing was to be done", done - with_work);
  const Spread iterations = iterations_of(tiling);
  if (iterations.most > 0)
    text += fmt::format("\nthe fits ended after {} to {} iterations, {:.0f} in the mean",
                        iterations.least, iterations.most, iterations.mean);
  return text;
}

std::string fit_in_words(const RunResult& run) {
  const Restored& r = run.restored;
  if (r.fit.stopped_by == StoppedBy::cancelled && r.fit.iterations == 0)
    return fmt::format(
        "stopped by you after {:.1f} s; the result is the filter's, as far as it got", run.seconds);
  if (r.fit.stopped_by == StoppedBy::cancelled && r.candidates.size() == 1)
    return fmt::format("stopped by you after {} iterations in {:.1f} s; the result is the filter's",
                       r.fit.iterations, r.fit.seconds);
  const char* end = r.fit.stopped_by == StoppedBy::stopper     ? "stopped by itself"
                    : r.fit.stopped_by == StoppedBy::cancelled ? "stopped by you"
                                                               : "finished";
  const std::string source =
      r.tiles > 1      ? fmt::format("made of {} tiles, each at its own moment", r.tiles)
      : r.fit.runs > 1 ? fmt::format("the mean of {} fits", r.fit.runs)
                       : fmt::format("that of iteration {}", r.fit.best_iteration);
  std::string text =
      r.options.method == Method::patches
          ? fmt::format("finished after {:.1f} s", run.seconds)
          : fmt::format("{} after {} iterations in {:.1f} s; the {} is {}", end, r.fit.iterations,
                        r.fit.seconds, r.candidates.empty() ? "result" : "fit's picture", source);
  if (r.candidates.size() > 1) text += "\nthe result is " + blend_in_words(r.candidates);
  return text;
}

Json facts(const FitRequest& request, const RunResult& run) {
  const Restored& r = run.restored;
  Json object = {
      {"output", request.out.result.string()},
      {"page", request.in.reading.page},
      {"width", run.output.width},
      {"height", run.output.height},
  };
  if (r.options.method != Method::patches)
    object.update(runs::fit_facts(r.fit));
  else if (r.fit.stopped_by == StoppedBy::cancelled)
    object["stopped_by"] = to_string(r.fit.stopped_by);
  if (run.tiling) object["tiling"] = tiling_facts(*run.tiling);
  if (!r.candidates.empty()) object["candidates"] = candidate_facts(r.candidates);
  object.update(Json{
      {"values", runs::value_facts(r.values)},
      {"total_seconds", run.seconds},
      {"psnr", number(r.psnr)},
      {"ssim", number(r.ssim)},
      {"psnr_input", number(r.psnr_input)},
      {"ssim_input", number(r.ssim_input)},
      {"peak_memory_mib", peak_memory_mib()},
  });
  return object;
}

}  // namespace

std::string result_json(const FitRequest& request, const RunResult& run) {
  Json object = {{"task", to_string(request.task)},
                 {"engine", run.restored.engine.name},
                 {"seed", run.restored.options.seed.value()}};
  object.update(facts(request, run));
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string manifest_json(const FitRequest& request, const RunResult& run) {
  const RunInputs& in = request.in;
  const Restored& r = run.restored;
  Json manifest = runs::to_json(runs::ManifestHead{.task = request.task,
                                                   .started = run.started,
                                                   .engine = r.engine,
                                                   .file = in.picture,
                                                   .input = run.input,
                                                   .mask = in.mask,
                                                   .reference = in.reference,
                                                   .options = r.options});
  manifest.update(Json{
      {"guide", in.guide.empty() ? Json(nullptr) : Json(in.guide.string())},
      {"model", in.model.empty() ? Json(nullptr) : Json(in.model.string())},
      {"blur_kernel", in.blur.empty() ? Json(nullptr) : Json(in.blur.string())},
      {"network",
       Json::parse(r.options.gan ? gan_to_json(r.options.gan->gan) : network_to_json(r.network))},
      {"parameters", r.params},
      {"noise", noise_facts(r.noise)},
      {"result", facts(request, run)},
  });
  // A file's name need not be UTF-8, but JSON is.
  return manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string summary(const FitRequest& request, const RunResult& run) {
  const Restored& r = run.restored;
  std::string text = run.tiling ? tiling_in_words(run) : fit_in_words(run);
  if (r.psnr)
    text += fmt::format("\nPSNR {:.2f} -> {:.2f} dB, SSIM {:.4f} -> {:.4f}", *r.psnr_input, *r.psnr,
                        *r.ssim_input, *r.ssim);
  if (request.out.result.empty()) return text;
  return text + fmt::format("\nwrote {} ({})", request.out.result.string(), describe(run.output));
}

}  // namespace unmar
