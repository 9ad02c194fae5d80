#include "report_page.h"

#include <fmt/format.h>
#include <unmar/version.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "html.h"
#include "json_number.h"
#include "plot.h"

namespace unmar::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kLargeSide = 1100;
constexpr std::size_t kLargeBytes = 450'000;
constexpr int kSmallPicture = 200;  ///< px; below, each pixel is shown as a square

std::string fact(const std::string& name, const std::string& value, const std::string& more = "") {
  return fmt::format("<div><dt>{}</dt><dd>{}{}</dd></div>", html_escaped(name), html_escaped(value),
                     more.empty() ? "" : "<small>" + html_escaped(more) + "</small>");
}

std::string facts(const Report& report) {
  const Restored& r = report.restored;
  std::string html;
  if (r.psnr)
    html += fact("PSNR", fmt::format("{:.2f} dB", *r.psnr),
                 fmt::format("{:.2f} before, {:+.2f} dB", *r.psnr_input, *r.psnr - *r.psnr_input));
  if (r.ssim)
    html +=
        fact("SSIM", fmt::format("{:.3f}", *r.ssim), fmt::format("{:.3f} before", *r.ssim_input));
  html += fact("Chosen iteration", std::to_string(r.fit.best_iteration),
               fmt::format("of {} done", r.fit.iterations));
  html += fact("Time", fmt::format("{:.1f} s", r.fit.seconds),
               fmt::format("{:.2f} iterations per second",
                           r.fit.iterations / std::max(r.fit.seconds, 1e-9)));
  html += fact("Network", network_name(r.network), fmt::format("{} parameters", r.params));
  html += fact("Picture", fmt::format("{} × {}", r.image.width(), r.image.height()),
               describe(r.image).substr(describe(r.image).find(',') + 2));
  html += fact("Seed", std::to_string(r.options.seed.value()), "engine " + r.engine.name);
  if (r.fit.rollbacks > 0)
    html += fact("Roll-backs", std::to_string(r.fit.rollbacks), "loss spikes that were undone");
  return html;
}

std::string noise_about(const RestoreOptions& o) {
  const std::string jitter =
      o.reg_noise_std.value_or(0) > 0 ? ", but for a little fresh jitter each time" : "";
  const bool learned = o.optimise == Optimise::input || o.optimise == Optimise::weights_and_input ||
                       o.optimise == Optimise::norms_and_input;
  if (learned) return "What the network starts from; here it is fitted too, and shown as it began.";
  return "What the network starts from. It stays the same for the whole fit" + jitter + ".";
}

const char* noise_name(const RestoreOptions& o) {
  switch (o.input.value_or(InputKind::uniform)) {
    case InputKind::uniform:
    case InputKind::normal:
      return "noise";
    case InputKind::meshgrid:
      return "coordinates";
    case InputKind::fourier:
      return "waves";
    case InputKind::observed:
      return "the picture";
    case InputKind::guide:
      return "the guide";
  }
  return "input";
}

std::string misfit_about(const Report& report) {
  const char* what = report.arguments.task == Task::inpaint ? "known pixels differ from the given"
                     : report.arguments.task == Task::upscale
                         ? "f(z), reduced, differs from the given small picture"
                         : "f(z) differs from the given picture";
  return fmt::format("Where {}: brighter is more ({:g}×). Their mean {} is what a step lowers.",
                     what, Moments::kMisfitGain,
                     report.restored.options.loss == LossKind::l1 ? "size" : "square");
}

std::string moments_json(const Moments& moments, int chosen) {
  const auto uri = [](const std::string& bytes) {
    return bytes.empty() ? Json(nullptr) : Json(data_uri(bytes));
  };
  const auto finite = [](double v) { return std::isfinite(v) ? v : 0.0; };
  Json list = Json::array();
  for (const Moment& m : moments.list())
    list.push_back({{"iteration", m.iteration},
                    {"loss", finite(m.loss)},
                    {"psnr", number(m.psnr)},
                    {"gain", m.update_gain},
                    {"output", uri(m.output)},
                    {"misfit", uri(m.misfit)},
                    {"update", uri(m.update)},
                    {"result", uri(m.result)}});
  return Json{{"chosen", chosen}, {"moments", list}}.dump();
}

Series series(const FitResult& fit, std::string name, auto value, bool faint = false) {
  Series line{std::move(name), {}, faint};
  for (const HistoryRow& row : fit.history)
    if (const std::optional<double> y = value(row)) line.points.emplace_back(row.iteration, *y);
  return line;
}

std::string plots(const Report& report) {
  const FitResult& fit = report.restored.fit;
  Plot plot;
  plot.last = fit.iterations - 1;
  plot.chosen = fit.best_iteration;

  const auto drawn = [&](const char* title, const char* unit, const std::string& about,
                         std::vector<Series> lines, bool logarithmic) {
    plot.title = title;
    plot.unit = unit;
    plot.about = about;
    plot.series = std::move(lines);
    plot.logarithmic = logarithmic;
    return to_html(plot);
  };
  std::string html = drawn(
      "Loss", "", "How far f(z) is from the given picture, noise included: it goes on falling.",
      {series(fit, "loss", [](const HistoryRow& r) { return std::optional<double>(r.loss); })},
      true);
  const std::string rule = to_text(option_spec("stop").get(report.restored.options).value());
  html += drawn("Stopper", "", "What --stop " + rule + " watches to choose the moment.",
                {series(fit, rule, [](const HistoryRow& r) { return r.signal; })}, true);
  html +=
      drawn("PSNR", "dB", "Likeness to the reference, which the fit never sees: more is better.",
            {series(
                 fit, "this iteration", [](const HistoryRow& r) { return r.psnr; }, true),
             series(fit, "running average", [](const HistoryRow& r) { return r.psnr_average; })},
            false);
  return html;
}

const char* about(const std::string& candidate) {
  if (candidate == "patches")
    return "The patch filter, without a network: similar patches of the picture itself, combined.";
  if (candidate == "dip") return "The fit: what the network made, below.";
  return "Patches once more, with the fit's picture to tell detail from noise.";
}

std::string card(const Image& picture, const std::string& head, const std::string& text) {
  constexpr int kSide = 480;
  constexpr std::size_t kBytes = 90'000;
  return fmt::format(
      "<li><div class=\"pic\"><img src=\"{}\" alt=\"\"></div><h3>{}</h3><p>{}</p></li>\n",
      data_uri(webp_within(picture, kSide, kBytes)), head, text);
}

/// |a - b|, gray.
Image difference(const Image& a, const Image& b, float gain) {
  Image map(1, a.height(), a.width());
  for (int c = 0; c < a.channels(); ++c)
    for (std::size_t i = 0; i < map.count(); ++i)
      map.pixels()[i] += gain * std::abs(a.plane(c)[i] - b.plane(c)[i]) / a.channels();
  return clamped(map);
}

/// The pictures that the result is a blend of, and why.
std::string candidates(const Report& report) {
  constexpr float kGain = 8.f;
  const auto& list = report.restored.candidates;
  if (list.size() < 2) return "";
  std::string cards;
  for (const Candidate& c : list) {
    std::string text = about(c.name);
    if (c.error) text += fmt::format(" {:.2f} from the hidden values.", 255 * std::sqrt(*c.error));
    if (c.psnr) text += fmt::format(" PSNR {:.2f} dB.", *c.psnr);
    cards += card(c.image, fmt::format("{} <b>{:.0f} %</b>", c.name, 100 * c.weight), text);
  }
  cards += card(difference(list[0].image, list[1].image, kGain), "Where they differ",
                fmt::format("Filter and fit, {:g} times: brighter is more.", kGain));
  const bool measured = list[0].error.has_value();
  return fmt::format(
      "<section aria-labelledby=\"blend-title\">\n<h2 id=\"blend-title\">What was blended</h2>\n"
      "<p>{} {}</p>\n<ol class=\"cards\">\n{}</ol>\n</section>\n",
      report.restored.noise ? "Found: " + html_escaped(to_string(*report.restored.noise)) + "."
                            : "",
      measured
          ? "Some pixels were hidden from all three, made once more for that purpose. Their "
            "noisy values say which is nearest to the truth: the noise there is the same for "
            "all, so the smallest distance is best. The weights follow it as far as it exceeds "
            "chance."
          : "The picture is too small to hide pixels from it, so nothing was compared and one of "
            "them is taken as it is.",
      cards);
}

std::string left_image(const std::string& name, const std::string& bytes, bool hidden) {
  return fmt::format("<img class=\"left\" data-left=\"{0}\" src=\"{1}\" alt=\"{0}\"{2}>", name,
                     data_uri(bytes), hidden ? " hidden" : "");
}

std::string choice_of(const std::string& name, const char* label, bool checked) {
  return fmt::format(
      "<input type=\"radio\" name=\"left\" id=\"left-{0}\" value=\"{0}\"{2}>"
      "<label for=\"left-{0}\">{1}</label>",
      name, label, checked ? " checked" : "");
}

}  // namespace

std::string command_line(const RestoreArguments& a) {
  std::string line = fmt::format("unmar {}", to_string(a.task));
  // A name like an option would be taken for one.
  const auto name = [](const std::filesystem::path& path) {
    return shell_quoted(path.string().starts_with('-') ? "./" + path.string() : path.string());
  };
  line += " " + name(a.input);
  const auto file = [&](const char* option, const std::filesystem::path& path) {
    if (!path.empty()) line += fmt::format(" {} {}", option, name(path));
  };
  file("--mask", a.mask);
  file("--guide", a.guide);
  file("--network-file", a.network_file);
  file("-o", a.output);
  for (const OptionSpec& spec : option_table()) {
    const auto value = spec.get(a.options);
    if (!value) continue;
    if (const auto* on = std::get_if<bool>(&*value))
      line += fmt::format(" --{}{}", *on ? "" : "no-", spec.name);
    else if (const auto* real = std::get_if<double>(&*value))
      line += fmt::format(" --{} {}", spec.name, *real);  // all digits
    else
      line += fmt::format(" --{} {}", spec.name, shell_quoted(to_text(*value)));
  }
  if (!a.options.seed) line += " --seed 0";
  if (a.pictures.range != "automatic") line += " --range " + a.pictures.range;
  if (a.pictures.max_megapixels != 100)
    line += fmt::format(" --max-pixels {}", a.pictures.max_megapixels);
  file("--reference", a.reference);
  return line;
}

std::string report_page(const Report& report, const Moments& moments, const Image* reference) {
  const RestoreArguments& a = report.arguments;
  const Restored& r = report.restored;
  const std::string input = html_escaped(a.input.filename().string());
  std::string left = left_image("before", moments.before(), false), choice;
  if (reference) {
    left += left_image("reference", webp_within(*reference, kLargeSide, kLargeBytes, true), true);
    choice = "<fieldset class=\"choice\"><legend>Compare the result with</legend>" +
             choice_of("before", "what came in", true) +
             choice_of("reference", "the clean reference", false) + "</fieldset>";
  }
  const bool averaged = !moments.list().empty() && !moments.list().front().result.empty();
  const std::string result_panel =
      averaged ? fmt::format(
                     "<li><div class=\"pic\"><img id=\"res\" src=\"{}\" alt=\"the running "
                     "average\"></div><h3>Result so far</h3><p>The running average of f(z), "
                     "calmer than one iteration: what ending here would give.</p></li>",
                     data_uri(moments.list().front().result))
               : "";
  const auto first = [&](const std::string Moment::*part) {
    return moments.list().empty() ? "data:," : data_uri(moments.list().front().*part);
  };
  const std::string told = summary(report);
  const std::size_t end = told.find('\n');
  std::string lead = told.substr(0, end);
  if (r.candidates.size() > 1)
    lead += "; " + told.substr(end + 1, told.find('\n', end + 1) - end - 1);
  lead += ".";
  lead[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(lead[0])));
  return filled(
      report_template(),
      {{"version", version()},
       {"title", fmt::format("unmar {}: {}", to_string(a.task), input)},
       {"task", to_string(a.task)},
       {"input", input},
       {"summary", html_escaped(lead)},
       {"facts", facts(report)},
       {"aspect", fmt::format("{:.5f}", static_cast<double>(r.image.width()) / r.image.height())},
       {"pixels", r.image.width() < kSmallPicture ? "pixels" : ""},
       {"choice", choice},
       {"left", left},
       {"after", data_uri(webp_within(r.image, kLargeSide, kLargeBytes, true))},
       {"candidates", candidates(report)},
       {"panels", averaged ? "5" : "4"},
       {"noise", data_uri(moments.noise())},
       {"noise_name", noise_name(r.options)},
       {"noise_about", noise_about(r.options)},
       {"first_output", first(&Moment::output)},
       {"first_misfit", first(&Moment::misfit)},
       {"misfit_about", misfit_about(report)},
       {"result_panel", result_panel},
       {"plots", plots(report)},
       {"command", html_escaped(command_line(a))},
       {"manifest", html_escaped(manifest_json(report))},
       {"moments", moments_json(moments, r.fit.best_iteration)}});
}

}  // namespace unmar::cli
