#include "unmar/runs/refine_run.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/fail.h"
#include "runs/inputs.h"
#include "runs/json.h"
#include "runs/manifest.h"
#include "runs/record.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/diffusion/weights.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using runs::number;

constexpr std::array<std::pair<Consistency, const char*>, 4> kConsistencies{
    {{Consistency::none, "none"},
     {Consistency::ddnm, "ddnm"},
     {Consistency::repaint, "repaint"},
     {Consistency::dps, "dps"}}};

/// What the chain starts from, as the command line has it.
std::string prior_name(const RefineOptions& o) {
  if (o.from == StartFrom::noise) return "none";
  return o.from == StartFrom::input ? "input" : "dip";
}

void check(const RefineRequest& request) {
  const auto refuse = [](const char* what) { fail(ErrorCode::bad_argument, "refine: {}", what); };
  const bool needs_mask = task_info(request.task).needs_mask;
  if (needs_mask && request.in.mask.empty())
    refuse("--task inpaint needs a --mask: white is known, black to be filled");
  if (!needs_mask && !request.in.mask.empty()) refuse("only --task inpaint has a --mask");
  const bool has_files = !(request.prior_file.empty() && request.save_prior.empty());
  if (request.options.from == StartFrom::noise && has_files)
    refuse("with --prior none there is no prior to read or save");
}

Json facts(const RefineRequest& request, const RefineRunResult& run) {
  const Refined& r = run.refined;
  const auto levels = [](const std::optional<ErrorEstimate>& e, double ErrorEstimate::*part) {
    return e ? Json(255 * ((*e).*part)) : Json(nullptr);
  };
  return Json{
      {"task", to_string(request.task)},
      {"output", request.result.string()},
      {"prior", request.prior_file.empty() ? prior_name(r.options) : request.prior_file.string()},
      {"prior_weight", number(r.options.prior_weight)},
      {"consistency", to_string(r.options.consistency.value())},
      {"sampler", r.options.sampler},
      {"start", r.start},
      {"prior_error", levels(r.error, &ErrorEstimate::rmse)},
      {"noise", levels(r.error, &ErrorEstimate::noise)},
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

/// By the names of the command line; those of the fit are in its own options.
Json chain_options(const RefineRequest& request, const RefineOptions& o) {
  const std::optional<int>& start = request.options.start;
  Json object = {{"prior", prior_name(o)},
                 {"start", start ? std::to_string(*start) : "auto"},
                 {"entry-factor", *o.entry_factor},
                 {"sampler", o.sampler},
                 {"steps", o.steps},
                 {"consistency", to_string(*o.consistency)},
                 {"dps-scale", o.dps_scale}};
  if (o.sampler == "ddim") object["eta"] = *o.eta;
  if (o.overlap) object["overlap"] = *o.overlap;
  if (o.prior_weight) object["prior-weight"] = *o.prior_weight;
  return object;
}

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
  // What the fit was given to estimate its error is among its options, so that they repeat it.
  const RestoreOptions& fitted = r.fit ? r.fit->options : r.options.restore;
  const EngineInfo engine = make_engine(fitted.engine.value())->info();
  Json json = runs::to_json(runs::ManifestHead{.task = request.task,
                                               .started = run.started,
                                               .engine = engine,
                                               .file = request.in.picture,
                                               .input = run.input,
                                               .mask = request.in.mask,
                                               .reference = request.in.reference,
                                               .options = fitted});
  json["options"].erase("strength");  // which only a result without a chain has
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
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Values as they are, so that --prior-file gives the same again.
void save_prior(const fs::path& path, Image prior) {
  const std::string extension = path.extension().string();
  const bool holds_float = extension == ".tif" || extension == ".tiff" || extension == ".fits";
  prior.source = {};
  write_image(path, prior, {.format = holds_float ? SampleFormat::f32 : SampleFormat::u8});
}

}  // namespace

const char* to_string(Consistency consistency) {
  for (const auto& [value, name] : kConsistencies)
    if (value == consistency) return name;
  return "unknown";
}

Consistency consistency_named(std::string_view wanted) {
  for (const auto& [value, name] : kConsistencies)
    if (wanted == name) return value;
  fail(ErrorCode::bad_argument, "refine: '{}' is no consistency; take none, ddnm, repaint or dps",
       wanted);
}

std::optional<int> parse_start(std::string_view text) {
  if (text == "auto") return std::nullopt;
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0)
    fail(ErrorCode::bad_argument, "refine: --start must be auto or a timestep, got '{}'", text);
  return value;
}

RefineRunResult run(const RefineRequest& request, RefineObserver& observer, std::stop_token stop) {
  const auto start = Clock::now();
  RefineRunResult result;
  result.started = now_utc();
  check(request);
  resolve(request.task, request.options.restore);
  check_writable(request.result);
  if (!request.save_prior.empty()) check_writable(request.save_prior);
  if (!request.manifest.empty()) check_text_writable(request.manifest, "--manifest");
  const RunInputs& in = request.in;
  const bool has_prior = !request.prior_file.empty(), has_reference = !in.reference.empty();
  result.input = read_picture(in);
  const Image mask = in.mask.empty() ? Image() : read_mask(in.mask, reading_of(in, in.mask));
  const Image prior =
      has_prior ? read_mask(request.prior_file, reading_of(in, request.prior_file)) : Image();
  const Image reference =
      has_reference ? read_like(result.input, in.reference, reading_of(in, in.reference)) : Image();
  DiffusersModel model = read_diffusers(request.model);
  const Json model_json = request.manifest.empty() ? Json(nullptr) : model_facts(request);

  RefineContext context;
  context.restore.reference = has_reference ? &reference : nullptr;
  context.restore.cancel = stop;
  context.prior = has_prior ? &prior : nullptr;
  context.restore.on_iteration = [&](const FitProgress& p) {
    if (!p.cancelled) observer.progressed(p);
  };
  context.on_chain = [&](const Refined& r) { observer.chain_started(r); };
  context.on_step = [&](const SampleProgress& p) { observer.stepped(p); };
  result.refined = refine(request.task, result.input, in.mask.empty() ? nullptr : &mask,
                          std::move(model), request.options, context);
  observer.writing();
  write_image(request.result, result.refined.image, request.writing);
  if (!request.save_prior.empty()) save_prior(request.save_prior, result.refined.prior);
  result.seconds = seconds_since(start);
  if (!request.manifest.empty())
    write_text(request.manifest, manifest_json(request, result, model_json), "--manifest");
  return result;
}

std::string result_json(const RefineRequest& request, const RefineRunResult& run) {
  Json object = facts(request, run);
  object["options"] = runs::options_to_json(run.refined.options.restore);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace unmar
