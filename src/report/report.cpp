#include "unmar/report/report.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "report/frames.h"
#include "report/pictures.h"
#include "report/template.h"
#include "unmar/tasks/version.h"

namespace unmar {
namespace {

using Json = nlohmann::ordered_json;

constexpr float kDifferenceGain = 8.f;
constexpr int kLargeSide = 1100, kCardSide = 480;
constexpr std::size_t kLargeBytes = 450'000, kCardBytes = 90'000;

Json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

/// For curves, which show no more digits.
Json rounded(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return std::strtod(fmt::format("{:.6g}", *value).c_str(), nullptr);
}

Json history(const FitResult& fit) {
  Json columns = {{"iteration", Json::array()},
                  {"loss", Json::array()},
                  {"signal", Json::array()},
                  {"psnr", Json::array()},
                  {"psnr_average", Json::array()}};
  for (const HistoryRow& row : fit.history) {
    columns["iteration"].push_back(row.iteration);
    columns["loss"].push_back(rounded(row.loss));
    columns["signal"].push_back(rounded(row.signal));
    columns["psnr"].push_back(rounded(row.psnr));
    columns["psnr_average"].push_back(rounded(row.psnr_average));
  }
  return columns;
}

Json candidates(const Restored& restored) {
  Json list = Json::array();
  for (const Candidate& c : restored.candidates)
    list.push_back({{"name", c.name},
                    {"weight", c.weight},
                    {"hidden_rmse", c.error ? Json(255 * std::sqrt(*c.error)) : Json(nullptr)},
                    {"psnr", number(c.psnr)},
                    {"picture", report::data_uri(webp_within(c.image, kCardSide, kCardBytes))}});
  return list;
}

Json pictures(const ReportSource& source) {
  const auto& list = source.restored.candidates;
  const auto large = [](const Image& image) {
    return report::data_uri(webp_within(image, kLargeSide, kLargeBytes, true));
  };
  const FrameRecorder* frames = source.frames;
  Json object = {
      {"before", source.before ? large(*source.before)
                 : frames      ? report::data_uri(frames->before())
                               : Json(nullptr)},
      {"after", large(source.after)},
      {"reference", source.reference ? large(*source.reference) : Json(nullptr)},
      {"network_input", frames ? report::data_uri(frames->network_input()) : Json(nullptr)},
      {"difference", nullptr},
      {"difference_gain", kDifferenceGain}};
  if (list.size() > 1)
    object["difference"] = report::data_uri(webp_within(
        report::difference(list[0].image, list[1].image, kDifferenceGain), kCardSide, kCardBytes));
  return object;
}

Json frames(const FrameRecorder* recorder) {
  Json list = Json::array();
  if (!recorder) return list;
  for (const ReportFrame& f : recorder->frames())
    list.push_back({{"iteration", f.iteration},
                    {"part", f.part},
                    {"loss", rounded(f.loss)},
                    {"psnr", rounded(f.psnr)},
                    {"update_gain", f.update_gain},
                    {"output", report::data_uri(f.output)},
                    {"misfit", report::data_uri(f.misfit)},
                    {"update", report::data_uri(f.update)},
                    {"result", report::data_uri(f.result)}});
  return list;
}

Json tiles(const std::vector<ReportTile>& all) {
  Json list = Json::array();
  for (const ReportTile& t : all)
    list.push_back({{"x", t.rect.x},
                    {"y", t.rect.y},
                    {"width", t.rect.width},
                    {"height", t.rect.height},
                    {"done", t.done},
                    {"iterations", t.iterations},
                    {"best_iteration", t.best_iteration},
                    {"stopped", t.stopped}});
  return list;
}

}  // namespace

std::string report_json(const ReportSource& source) {
  const Restored& r = source.restored;
  const std::string depth = describe(source.output);
  const Json json = {
      {"format", report::kFormat},
      {"unmar", version()},
      {"task", to_string(source.task)},
      {"input", source.input},
      {"command", source.command},
      {"summary", source.summary},
      {"engine", r.engine.name},
      {"network", fitted_network(r)},
      {"width", source.output.width},
      {"height", source.output.height},
      {"kind", depth.substr(depth.find(',') + 2)},
      {"noise", r.noise ? Json(to_string(*r.noise)) : Json(nullptr)},
      {"misfit_gain", FrameRecorder::kMisfitGain},
      {"pictures", pictures(source)},
      {"candidates", candidates(r)},
      {"history", history(r.fit)},
      {"frames", frames(source.frames)},
      {"tiles", tiles(source.tiles)},
      {"manifest", Json::parse(source.manifest)},
  };
  // A file's name need not be UTF-8, but JSON is.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string report_page(std::string_view json) {
  constexpr std::string_view kPlace = "{{report}}";
  const std::string_view page = report::page_template();
  const std::size_t at = page.find(kPlace);
  std::string text(page.substr(0, at));
  for (const char c : json) {
    if (c == '<')  // "</script" would end the element
      text += "\\u003c";
    else
      text += c;
  }
  return text.append(page.substr(at + kPlace.size()));
}

}  // namespace unmar
