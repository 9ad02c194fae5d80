#include "runs/manifest.h"

#include <cmath>

#include "runs/json.h"
#include "unmar/tasks/version.h"

namespace unmar::runs {
namespace {

using Json = nlohmann::ordered_json;

Json path_or_null(const std::filesystem::path& path) {
  return path.empty() ? Json(nullptr) : Json(path.string());
}

/// What those that looked on would have done.
Json watched(const FitResult& fit) {
  Json object = Json::object();
  const auto iteration = [](int i) { return i >= 0 ? Json(i) : Json(nullptr); };
  for (const Watched& w : fit.watched)
    object[w.name] = {{"best_iteration", iteration(w.best_iteration)},
                      {"stopped_at", iteration(w.stopped_at)},
                      {"seconds", w.seconds}};
  return object;
}

Json picture_facts(const std::filesystem::path& file, const ImageFacts& image) {
  const ImageSource& source = image.source;
  Json facts = {{"file", file.string()},
                {"width", image.width},
                {"height", image.height},
                {"channels", image.channels},
                {"format", to_string(source)}};
  if (source.channel_ranges.empty()) {
    facts.update(Json{{"black", source.range.black}, {"white", source.range.white}});
  } else {
    facts["ranges"] = Json::array();  // of each channel
    for (const ValueRange& range : source.channel_ranges)
      facts["ranges"].push_back({{"black", range.black}, {"white", range.white}});
  }
  return facts;
}

}  // namespace

Json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

Json to_json(const ManifestHead& head) {
  return {
      {"task", to_string(head.task)},
      {"started", head.started},
      {"versions", {{"unmar", version()}, {"libvips", libvips_version()}}},
      {"engine", {{"name", head.engine.name}, {"description", head.engine.description}}},
      {"input", picture_facts(head.file, head.input)},
      {"mask", path_or_null(head.mask)},
      {"reference", path_or_null(head.reference)},
      {"options", to_json(option_table(), head.options)},
  };
}

Json value_facts(const ValueCounts& counts) {
  return {
      {"all", counts.all},
      {"known", counts.known},
      {"blended", counts.blended},
      {"masked", counts.masked},
      {"missing", counts.missing},
      {"outliers_filled", counts.outliers_filled},
      {"outliers_kept", counts.outliers_kept},
  };
}

Json parts(const FitResult& fit) {
  Json list = Json::array();
  for (const FittedPart& part : fit.parts)
    list.push_back({{"phase", part.phase},
                    {"iterations", part.iterations},
                    {"best_iteration", part.best_iteration},
                    {"loss", part.final_loss}});
  return list;
}

Json fit_facts(const FitResult& fit) {
  return {
      {"runs", fit.runs},
      {"iterations", fit.iterations},
      {"best_iteration", fit.best_iteration},
      {"stopped_by", to_string(fit.stopped_by)},
      {"rollbacks", fit.rollbacks},
      {"seconds", fit.seconds},
      {"stopper_seconds", fit.stopper_seconds},
      {"watched", watched(fit)},
      {"loss", fit.final_loss},
      {"parts", parts(fit)},
  };
}

}  // namespace unmar::runs
