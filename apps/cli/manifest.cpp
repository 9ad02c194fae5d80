#include "manifest.h"

#include <unmar/checksum.h>
#include <unmar/version.h>

#include "json_number.h"
#include "run_record.h"

namespace unmar::cli {
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

Json libraries() { return {{"unmar", version()}, {"libvips", libvips_version()}}; }

}  // namespace

Json to_json(const ManifestHead& head) {
  return {
      {"task", to_string(head.task)},
      {"started", head.started},
      {"versions", libraries()},
      {"engine", {{"name", head.engine.name}, {"description", head.engine.description}}},
      {"input",
       {{"file", head.file.string()},
        {"width", head.input.width()},
        {"height", head.input.height()},
        {"channels", head.input.channels()},
        {"format", to_string(head.input.source.format)},
        {"black", head.input.source.range.black},
        {"white", head.input.source.range.white}}},
      {"mask", path_or_null(head.mask)},
      {"reference", path_or_null(head.reference)},
      {"options", Json::parse(options_json(head.options))},
  };
}

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
  };
}

Json file_facts(const std::filesystem::path& path) {
  return {{"file", path.string()}, {"sha256", sha256_of_file(path)}};
}

}  // namespace unmar::cli
