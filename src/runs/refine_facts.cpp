#include "runs/refine_facts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runs/json.h"
#include "runs/manifest.h"
#include "runs/record.h"
#include "unmar/base/process.h"
#include "unmar/diffusion/weights.h"

namespace unmar {
namespace {

using Json = nlohmann::ordered_json;
using runs::number;

std::string prior_in_words(const RefineRequest& request) {
  if (!request.prior_file.empty()) return request.prior_file.string();
  return to_text(*find_option(refine_options(), "prior", "refine").get(request.options));
}

/// Without what belongs to one chain.
Json tiled_facts(const RefineRequest& request, const RefineRunResult& run) {
  Json facts = Json::parse(result_json(fit_request_of(request), *run.tiled));
  facts.update(Json{{"prior", prior_in_words(request)},
                    {"consistency", to_string(run.refined.options.consistency.value())},
                    {"sampler", run.refined.options.sampler},
                    {"cancelled", run.refined.cancelled}});
  return facts;
}

Json facts(const RefineRequest& request, const RefineRunResult& run) {
  if (run.tiled) return tiled_facts(request, run);
  const Refined& r = run.refined;
  const auto levels = [](const std::optional<ErrorEstimate>& e, double ErrorEstimate::*part) {
    return e ? Json(255 * ((*e).*part)) : Json(nullptr);
  };
  return Json{
      {"task", to_string(request.task)},
      {"output", request.out.result.string()},
      {"prior", prior_in_words(request)},
      {"prior_weight", number(r.options.prior_weight)},
      {"consistency", to_string(r.options.consistency.value())},
      {"sampler", r.options.sampler},
      {"start", r.start},
      {"prior_error", levels(r.error, &ErrorEstimate::rmse)},
      {"noise", levels(r.error, &ErrorEstimate::noise)},
      {"values", runs::value_facts(r.values)},
      {"timesteps", r.timesteps},
      {"windows", r.windows},
      {"evaluations", r.evaluations},
      {"gradients", r.gradients},
      {"iterations", r.fit ? Json(r.fit->fit.iterations) : Json(nullptr)},
      {"fit_seconds", r.fit_time.seconds},
      {"fit_cpu_seconds", r.fit_time.cpu_seconds},
      {"model_seconds", r.model_time.seconds},
      {"chain_seconds", r.chain_time.seconds},
      {"chain_cpu_seconds", r.chain_time.cpu_seconds},
      {"total_seconds", run.seconds},
      {"cancelled", r.cancelled},
      {"psnr", number(r.psnr)},
      {"ssim", number(r.ssim)},
      {"psnr_prior", number(r.psnr_prior)},
      {"ssim_prior", number(r.ssim_prior)},
      {"psnr_input", number(r.psnr_input)},
      {"ssim_input", number(r.ssim_input)},
  };
}

/// Of the chain; those of the fit are in its own options. t0 as it was asked for.
Json chain_options(const RefineRequest& request, RefineOptions o) {
  o.start = request.options.start;
  if (o.sampler != "ddim") o.eta.reset();
  return runs::to_json(refine_options(), o);
}

/// A file's name need not be UTF-8, but JSON is.
std::string dumped_leniently(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// That of its fits, and what belongs to the chains.
std::string tiled_manifest(const RefineRequest& request, const RefineRunResult& run,
                           const Json& model) {
  Json json = Json::parse(manifest_json(fit_request_of(request), *run.tiled));
  json["options"].erase("strength");  // without a chain
  json["options"].update(chain_options(request, run.refined.options));
  json["prior_file"] =
      request.prior_file.empty() ? Json(nullptr) : Json(request.prior_file.string());
  json["model"] = model;
  if (!has_fit(request)) json["network"] = nullptr;
  json["result"].update(tiled_facts(request, run));
  return dumped_leniently(json);
}

}  // namespace

namespace runs {

Json model_facts(const RefineRequest& request) {
  const DiffusersFiles files = diffusers_files(request.model);
  return {{"name", request.model_name},
          {"weights", runs::file_facts(files.weights)},
          {"config", runs::file_facts(files.config)},
          {"scheduler", runs::file_facts(files.scheduler)}};
}

std::string manifest_json(const RefineRequest& request, const RefineRunResult& run,
                          const Json& model) {
  const Refined& r = run.refined;
  if (run.tiled) return tiled_manifest(request, run, model);
  // What the fit was given to estimate its error is among its options, so that they repeat it.
  const RestoreOptions& fitted = r.fit ? r.fit->options : r.options.restore;
  const EngineInfo engine = make_engine(fitted.engine.value())->info();
  const ImageFacts input = facts_of(run.input);
  Json json = runs::to_json(runs::ManifestHead{.task = request.task,
                                               .started = run.started,
                                               .engine = engine,
                                               .file = request.in.picture,
                                               .input = input,
                                               .mask = request.in.mask,
                                               .reference = request.in.reference,
                                               .options = fitted});
  for (const char* name : {"strength", "tile"}) json["options"].erase(name);  // without a chain
  json["options"].update(chain_options(request, r.options));
  json["prior_file"] =
      request.prior_file.empty() ? Json(nullptr) : Json(request.prior_file.string());
  json["model"] = model;
  json["fit"] = nullptr;
  if (r.fit) {
    json["network"] = Json::parse(network_to_json(r.fit->network));
    json["parameters"] = r.fit->params;
    json["fit"] = runs::fit_facts(r.fit->fit);
  }
  json["result"] = facts(request, run);
  json["result"]["peak_memory_mib"] = peak_memory_mib();
  return dumped_leniently(json);
}

}  // namespace runs

std::string result_json(const RefineRequest& request, const RefineRunResult& run) {
  Json object = facts(request, run);
  object["options"] = runs::to_json(option_table(), run.refined.options.restore);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace unmar
