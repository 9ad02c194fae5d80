#include "refine_run.h"

#include <fmt/format.h>
#include <unmar/error.h>
#include <unmar/weights.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "clock.h"
#include "interrupt.h"
#include "json_number.h"
#include "manifest.h"
#include "models_folder.h"
#include "output_file.h"
#include "progress.h"
#include "report.h"
#include "run_record.h"

namespace unmar::cli {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::pair<std::string, Consistency>> kConsistencies = {
    {"none", Consistency::none},
    {"ddnm", Consistency::ddnm},
    {"repaint", Consistency::repaint},
    {"dps", Consistency::dps}};

std::string name_of(const std::optional<Consistency>& consistency) {
  for (const auto& [name, value] : kConsistencies)
    if (value == consistency) return name;
  return "";
}

std::optional<int> start_of(const std::string& text) {
  if (text == "auto") return std::nullopt;
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0)
    throw Error(ErrorCode::bad_argument,
                fmt::format("refine: --start must be auto or a timestep, got '{}'", text));
  return value;
}

RefineOptions options_of(const RefineArguments& a, Task task) {
  RefineOptions o = a.options;
  o.from = a.prior == "none"    ? StartFrom::noise
           : a.prior == "input" ? StartFrom::input
                                : StartFrom::prior;
  if (o.from == StartFrom::prior) parse_option(o.restore, task, option_spec("prior"), a.prior);
  o.start = start_of(a.start);
  for (const auto& [name, value] : kConsistencies)
    if (name == a.consistency) o.consistency = value;
  for (const GivenOption& given : a.given) parse_option(o.restore, task, *given.spec, given.text);
  const auto refuse = [](const char* what) { throw Error(ErrorCode::bad_argument, what); };
  if (task == Task::inpaint && a.mask.empty())
    refuse("refine: --task inpaint needs a --mask: white is known, black to be filled");
  if (task != Task::inpaint && !a.mask.empty()) refuse("refine: only --task inpaint has a --mask");
  if (o.from == StartFrom::noise && !(a.prior_file.empty() && a.save_prior.empty()))
    refuse("refine: with --prior none there is no prior to read or save");
  return o;
}

Json facts(const RefineArguments& a, const Refined& r, double total_seconds) {
  const auto levels = [](const std::optional<ErrorEstimate>& e, double ErrorEstimate::*part) {
    return e ? Json(255 * ((*e).*part)) : Json(nullptr);
  };
  return Json{
      {"task", a.task},
      {"output", a.output.string()},
      {"prior", a.prior_file.empty() ? a.prior : a.prior_file.string()},
      {"prior_weight", number(r.options.prior_weight)},
      {"consistency", name_of(r.options.consistency)},
      {"sampler", a.options.sampler},
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
      {"total_seconds", total_seconds},
      {"cancelled", r.cancelled},
      {"psnr", number(r.psnr)},
      {"ssim", number(r.ssim)},
      {"psnr_prior", number(r.psnr_prior)},
      {"ssim_prior", number(r.ssim_prior)},
      {"psnr_input", number(r.psnr_input)},
      {"ssim_input", number(r.ssim_input)},
  };
}

/// What is printed for programs.
std::string facts_line(const RefineArguments& a, const Refined& r, double total_seconds) {
  Json object = facts(a, r, total_seconds);
  object["options"] = Json::parse(options_json(r.options.restore));
  return object.dump();
}

/// Of the command line, by name; those of the fit are in its own options.
Json chain_options(const RefineArguments& a, const RefineOptions& o) {
  Json object = {
      {"prior", a.prior},        {"start", a.start}, {"entry-factor", *o.entry_factor},
      {"sampler", o.sampler},    {"steps", o.steps}, {"consistency", name_of(o.consistency)},
      {"dps-scale", o.dps_scale}};
  if (o.sampler == "ddim") object["eta"] = *o.eta;
  if (o.overlap) object["overlap"] = *o.overlap;
  if (o.prior_weight) object["prior-weight"] = *o.prior_weight;
  return object;
}

Json model_facts(const std::string& name) {
  const DiffusersFiles files = diffusers_files(model_folder(name));
  return {{"name", name},
          {"weights", file_facts(files.weights)},
          {"config", file_facts(files.config)},
          {"scheduler", file_facts(files.scheduler)}};
}

/// What the run began with; complete() adds what came of it.
class Manifest {
 public:
  explicit Manifest(const RefineArguments& a) : a_(a), model_(model_facts(a.model)) {}

  std::string complete(Task task, const Image& input, const Refined& r,
                       double total_seconds) const {
    // What the fit was given to estimate its error is among its options, so that they repeat it.
    const RestoreOptions& fitted = r.fit ? r.fit->options : r.options.restore;
    const EngineInfo engine = make_engine(fitted.engine.value())->info();
    Json json = to_json(ManifestHead{.task = task,
                                     .started = started_,
                                     .engine = engine,
                                     .file = a_.input,
                                     .input = input,
                                     .mask = a_.mask,
                                     .reference = a_.reference,
                                     .options = fitted});
    json["options"].update(chain_options(a_, r.options));
    json["prior_file"] = a_.prior_file.empty() ? Json(nullptr) : Json(a_.prior_file.string());
    json["model"] = model_;
    json["fit"] = nullptr;
    if (r.fit) {
      json["network"] = Json::parse(network_to_json(r.fit->network));
      json["parameters"] = r.fit->params;
      json["fit"] = fit_facts(r.fit->fit);
    }
    json["result"] = facts(a_, r, total_seconds);
    json["result"]["peak_memory_mib"] = peak_memory_mib();
    return json.dump(2) + "\n";
  }

 private:
  const RefineArguments& a_;
  std::string started_ = now_utc();
  Json model_;
};

std::string summary(const RefineArguments& a, const Refined& r, double total_seconds) {
  std::string text;
  if (r.fit)
    text += fmt::format("prior: {} iterations in {:.1f} s\n", r.fit->fit.iterations,
                        r.fit_time.seconds);
  text += fmt::format("{}: {} network evaluations{} in {:.1f} s, from t0 = {}; in all {:.1f} s\n",
                      r.cancelled ? "stopped by you" : "chain", r.evaluations,
                      r.gradients ? fmt::format(" and {} gradients", r.gradients) : "",
                      r.chain_time.seconds, r.start, total_seconds);
  if (r.psnr && r.psnr_prior)
    text +=
        fmt::format("PSNR {:.2f} -> prior {:.2f} -> {:.2f} dB, SSIM {:.4f} -> {:.4f} -> {:.4f}\n",
                    *r.psnr_input, *r.psnr_prior, *r.psnr, *r.ssim_input, *r.ssim_prior, *r.ssim);
  else if (r.psnr)
    text += fmt::format("PSNR {:.2f} -> {:.2f} dB, SSIM {:.4f} -> {:.4f}\n", *r.psnr_input, *r.psnr,
                        *r.ssim_input, *r.ssim);
  return text + fmt::format("wrote {} ({})", a.output.string(), describe(r.image));
}

void announce(const RefineArguments& a, const Refined& r) {
  std::string from = "from noise";
  if (r.options.prior_weight)
    from = fmt::format("from {} prior + {} noise", *r.options.prior_weight,
                       1 - *r.options.prior_weight);
  else if (r.options.from != StartFrom::noise)
    from = r.error && !r.options.start
               ? fmt::format("from the prior, its error put at {:.1f} of 255", 255 * r.error->rmse)
               : "from the prior";
  fmt::print(stderr, "chain {}: {} timesteps of {} from t0 = {}, consistency {}{}\n", from,
             r.timesteps, a.options.sampler, r.start, name_of(r.options.consistency),
             r.windows > 1 ? fmt::format(", {} windows", r.windows) : "");
}

/// Values as they are, so that --prior-file gives the same again.
void save_prior(const std::filesystem::path& path, Image prior) {
  const std::string extension = path.extension().string();
  const bool holds_float = extension == ".tif" || extension == ".tiff" || extension == ".fits";
  prior.source = {};
  write_image(path, prior, {.format = holds_float ? SampleFormat::f32 : SampleFormat::u8});
}

}  // namespace

int run_refine(const RefineArguments& a) {
  const auto started = Clock::now();
  const Task task = task_of(a.task);
  const RefineOptions options = options_of(a, task);
  const RestoreOptions resolved = resolve(task, options.restore);
  check_writable(a.output);
  if (!a.save_prior.empty()) check_writable(a.save_prior);
  if (!a.manifest.empty()) check_text_writable(a.manifest, "--manifest");
  const Image input = a.pictures.read(a.input);
  const Image mask = a.mask.empty() ? Image() : a.pictures.read_mask(a.mask);
  const Image prior = a.prior_file.empty() ? Image() : a.pictures.read_mask(a.prior_file);
  const Image reference = a.reference.empty() ? Image() : a.pictures.read_like(input, a.reference);
  DiffusersModel model = read_diffusers(model_folder(a.model));
  std::optional<Manifest> manifest;
  if (!a.manifest.empty()) manifest.emplace(a);

  Interrupt interrupt;
  Progress fit("prior", resolved.stop != StopRule::none, a.quiet);
  Progress chain("chain", false, a.quiet);
  auto chain_started = started;
  RefineContext context;
  context.restore.reference = a.reference.empty() ? nullptr : &reference;
  context.restore.cancel = interrupt.token();
  context.prior = a.prior_file.empty() ? nullptr : &prior;
  context.restore.on_iteration = [&](const FitProgress& progress) {
    interrupt.poll();
    fit.update(progress);
  };
  context.on_chain = [&](const Refined& r) {
    fit.finish();
    if (!a.quiet) announce(a, r);
    chain_started = Clock::now();
  };
  context.on_step = [&](const SampleProgress& progress) {
    interrupt.poll();
    chain.update_count(progress.done, progress.steps, seconds_since(chain_started));
  };
  Refined result;
  try {
    result =
        refine(task, input, a.mask.empty() ? nullptr : &mask, std::move(model), options, context);
  } catch (...) {
    fit.finish();
    chain.finish();
    throw;
  }
  fit.finish();
  chain.finish();
  interrupt.hold_off();
  write_image(a.output, result.image);
  if (!a.save_prior.empty()) save_prior(a.save_prior, result.prior);
  const double total = seconds_since(started);
  if (manifest)
    write_text(a.manifest, manifest->complete(task, input, result, total), "--manifest");
  if (!a.quiet) fmt::print(stderr, "{}\n", summary(a, result, total));
  if (a.json) fmt::print("{}\n", facts_line(a, result, total));
  return 0;
}

}  // namespace unmar::cli
