#include "report.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unmar/error.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "json_number.h"
#include "manifest.h"

namespace unmar::cli {
namespace {

using Json = nlohmann::ordered_json;

Json result(const Report& report) {
  const Restored& r = report.restored;
  Json object = {
      {"output", report.arguments.output.string()},
      {"width", r.image.width()},
      {"height", r.image.height()},
  };
  if (r.options.method != Method::patches) object.update(fit_facts(r.fit));
  if (!r.candidates.empty()) object["candidates"] = candidate_facts(r.candidates);
  object.update(Json{
      {"total_seconds", report.total_seconds},
      {"psnr", number(r.psnr)},
      {"ssim", number(r.ssim)},
      {"psnr_input", number(r.psnr_input)},
      {"ssim_input", number(r.ssim_input)},
      {"peak_memory_mib", peak_memory_mib()},
  });
  return object;
}

/// "60 % patches, 40 % dip"
std::string blend_in_words(const std::vector<Candidate>& candidates) {
  std::string text;
  for (const Candidate& c : candidates)
    if (c.weight > 0)
      text += fmt::format("{}{:.0f} % {}", text.empty() ? "" : ", ", 100 * c.weight, c.name);
  return text;
}

}  // namespace

std::string result_json(const Report& report) {
  Json object = {{"task", to_string(report.arguments.task)},
                 {"engine", report.restored.engine.name},
                 {"seed", report.restored.options.seed.value()}};
  object.update(result(report));
  return object.dump();
}

std::string manifest_json(const Report& report) {
  const RestoreArguments& a = report.arguments;
  const Restored& r = report.restored;
  Json manifest = to_json(ManifestHead{.task = a.task,
                                       .started = report.started,
                                       .engine = r.engine,
                                       .file = a.input,
                                       .input = report.input,
                                       .mask = a.mask,
                                       .reference = a.reference,
                                       .options = r.options});
  manifest.update(Json{
      {"guide", a.guide.empty() ? Json(nullptr) : Json(a.guide.string())},
      {"network", Json::parse(network_to_json(r.network))},
      {"parameters", r.params},
      {"noise", noise_facts(r.noise)},
      {"result", result(report)},
  });
  return manifest.dump(2) + "\n";
}

std::string history_csv(const FitResult& fit) {
  std::string text = "iteration,loss,psnr,psnr_average,signal,rolled_back";
  for (const Watched& w : fit.watched) text += fmt::format(",{0},{0}_best,{0}_stopped", w.name);
  text += '\n';
  const auto cell = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.9g}", *value) : std::string();
  };
  for (const HistoryRow& row : fit.history) {
    text += fmt::format("{},{:.9g},{},{},{},{}", row.iteration, row.loss, cell(row.psnr),
                        cell(row.psnr_average), cell(row.signal), row.rolled_back ? 1 : 0);
    for (const WatchedRow& w : row.watched)
      text += fmt::format(",{},{},{}", cell(w.signal),
                          w.best >= 0 ? fmt::to_string(w.best) : std::string(), w.stopped ? 1 : 0);
    text += '\n';
  }
  return text;
}

std::string summary(const Report& report) {
  const Restored& r = report.restored;
  const char* end = r.fit.stopped_by == StoppedBy::stopper     ? "stopped by itself"
                    : r.fit.stopped_by == StoppedBy::cancelled ? "stopped by you"
                                                               : "finished";
  const std::string source = r.fit.runs > 1
                                 ? fmt::format("the mean of {} fits", r.fit.runs)
                                 : fmt::format("that of iteration {}", r.fit.best_iteration);
  std::string text =
      r.options.method == Method::patches
          ? fmt::format("finished after {:.1f} s", report.total_seconds)
          : fmt::format("{} after {} iterations in {:.1f} s; the {} is {}", end, r.fit.iterations,
                        r.fit.seconds, r.candidates.empty() ? "result" : "fit's picture", source);
  if (r.candidates.size() > 1) text += "\nthe result is " + blend_in_words(r.candidates);
  if (r.psnr)
    text += fmt::format("\nPSNR {:.2f} -> {:.2f} dB, SSIM {:.4f} -> {:.4f}", *r.psnr_input, *r.psnr,
                        *r.ssim_input, *r.ssim);
  return text + fmt::format("\nwrote {} ({})", report.arguments.output.string(), describe(r.image));
}

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts KiB
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace unmar::cli
