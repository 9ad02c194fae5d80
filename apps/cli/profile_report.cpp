#include "profile_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace unmar::cli {
namespace {

/// Steps, or all steps of one kind, added up.
struct Sum {
  std::string kind;
  int steps = 0;
  double forward = 0, backward = 0;
  double direct_flops = 0, product_flops = 0, traffic = 0;
  std::size_t kept = 0;

  double seconds() const { return forward + backward; }
  void add(const StepProfile& s) {
    ++steps;
    forward += s.forward_seconds;
    backward += s.backward_seconds;
    direct_flops += 2.0 * static_cast<double>(s.direct_macs);
    product_flops += 2.0 * static_cast<double>(s.product_macs);
    traffic += static_cast<double>(s.traffic_bytes);
    kept += s.kept_bytes;
  }
};

Sum sum_of(const StepProfile& step) {
  Sum sum{.kind = step.kind};
  sum.add(step);
  return sum;
}

void sort_by_time(std::vector<Sum>& sums) {
  std::stable_sort(sums.begin(), sums.end(),
                   [](const Sum& a, const Sum& b) { return a.seconds() > b.seconds(); });
}

std::vector<Sum> by_kind(const std::vector<StepProfile>& steps) {
  std::map<std::string, Sum> kinds;
  for (const StepProfile& step : steps) {
    kinds[step.kind].kind = step.kind;
    kinds[step.kind].add(step);
  }
  std::vector<Sum> sums;
  for (const auto& [kind, sum] : kinds) sums.push_back(sum);
  sort_by_time(sums);
  return sums;
}

/// How often each note stands, without the names in it.
std::map<std::string, int> count_notes(const std::vector<StepProfile>& steps) {
  std::map<std::string, int> counts;
  for (const StepProfile& step : steps)
    for (const std::string& note : step.notes) {
      const std::size_t quote = note.find('\'');
      ++counts[quote == std::string::npos ? note : note.substr(0, quote) + "a concat"];
    }
  return counts;
}

std::string rate(double amount, double seconds) {
  return amount > 0 && seconds > 0 ? fmt::format("{:.1f}", amount / seconds * 1e-9) : "";
}

constexpr const char* kHead = "  share  forward ms  back ms  GFLOP/s  as direct   GB/s  kept MiB";

std::string figures(const Sum& s, double seconds) {
  const bool multiplies = s.product_flops > 0;
  return fmt::format(
      "{:6.1f}%{:12.2f}{:9.2f}{:>9}{:>11}{:>7}{:>10}", 100 * s.seconds() / seconds, 1e3 * s.forward,
      1e3 * s.backward, rate(s.product_flops, s.seconds()),
      rate(multiplies ? s.direct_flops : 0, s.seconds()),
      rate(multiplies ? 0 : s.traffic, s.seconds()),
      s.kept > 0 ? fmt::format("{:.1f}", static_cast<double>(s.kept) / (1 << 20)) : "");
}

double mib(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

std::string profile_table(const ProfiledFit& fit) {
  std::string text = fmt::format(
      "{}, {}x{}, {} parameters, engine {} ({}), {} threads, mean of {} iterations\n\n",
      network_name(network_options(fit.options)), fit.picture.w, fit.picture.h, fit.parameters,
      fit.engine.name, fit.engine.description, fit.threads, fit.iterations);
  std::vector<StepProfile> steps = fit.steps;
  std::stable_sort(steps.begin(), steps.end(), [](const StepProfile& a, const StepProfile& b) {
    return a.forward_seconds + a.backward_seconds > b.forward_seconds + b.backward_seconds;
  });
  Sum all;
  if (steps.empty()) {
    text += fmt::format("Engine '{}' does not tell how long its steps take.\n\n", fit.engine.name);
  } else {
    text += fmt::format("{}  step\n", kHead);
    for (const StepProfile& step : steps) {
      all.add(step);
      const std::string notes = fmt::format("{}", fmt::join(step.notes, ", "));
      text += fmt::format("{}  {} '{}'{}{}\n", figures(sum_of(step), fit.seconds), step.op,
                          step.name, notes.empty() ? "" : ": ", notes);
    }
    text += fmt::format("\n{}  kind\n", kHead);
    for (const Sum& sum : by_kind(steps))
      text += fmt::format("{}  {} ({} {})\n", figures(sum, fit.seconds), sum.kind, sum.steps,
                          sum.steps == 1 ? "step" : "steps");
    text += fmt::format("{}  all steps\n\n", figures(all, fit.seconds));
    for (const auto& [note, count] : count_notes(steps))
      text += fmt::format("{:4} {} {}\n", count, count == 1 ? "step " : "steps", note);
    text +=
        "\nGFLOP/s: of the matrix products that are done; as direct: of those that convolutions "
        "without\nWinograd would take. GB/s: values and gradients that a step must read or write, "
        "each once.\n\n";
  }
  text += fmt::format("one iteration  {:.2f} ms", 1e3 * fit.seconds);
  if (all.product_flops > 0)
    text += fmt::format(", {:.1f} GFLOP done, {:.1f} as direct: {} and {} GFLOP/s",
                        all.product_flops * 1e-9, all.direct_flops * 1e-9,
                        rate(all.product_flops, fit.seconds), rate(all.direct_flops, fit.seconds));
  text += fmt::format(
      "\nmemory         {:.1f} MiB, of which parameters, gradients and Adam {:.1f} MiB\n",
      mib(fit.memory_bytes), mib(fit.parameter_bytes()));
  return text;
}

std::string profile_json(const ProfiledFit& fit) {
  using Json = nlohmann::ordered_json;
  const auto figures_of = [](const Sum& s) {
    return Json{{"forward_seconds", s.forward},   {"backward_seconds", s.backward},
                {"direct_flops", s.direct_flops}, {"product_flops", s.product_flops},
                {"traffic_bytes", s.traffic},     {"kept_bytes", s.kept}};
  };
  Json json = {{"width", fit.picture.w},
               {"height", fit.picture.h},
               {"network", Json::parse(network_to_json(network_options(fit.options)))},
               {"engine", {{"name", fit.engine.name}, {"description", fit.engine.description}}},
               {"threads", fit.threads},
               {"iterations", fit.iterations},
               {"seconds", fit.seconds},
               {"memory_bytes", fit.memory_bytes},
               {"parameters", fit.parameters},
               {"parameter_bytes", fit.parameter_bytes()},
               {"forward_macs", fit.forward_macs},
               {"kinds", Json::array()},
               {"steps", Json::array()}};
  for (const Sum& sum : by_kind(fit.steps)) {
    Json kind = {{"kind", sum.kind}, {"steps", sum.steps}};
    kind.update(figures_of(sum));
    json["kinds"].push_back(kind);
  }
  for (const StepProfile& step : fit.steps) {
    Json row = {{"name", step.name}, {"op", step.op}, {"kind", step.kind}, {"notes", step.notes}};
    row.update(figures_of(sum_of(step)));
    json["steps"].push_back(row);
  }
  return json.dump(2) + "\n";
}

}  // namespace unmar::cli
