#include <algorithm>

#include "diffusion/json_fields.h"
#include "unmar/diffusion/weights.h"

namespace unmar {
namespace {

using namespace unmar::diffusion;

const EnumNames<BetaSchedule> kSchedules{{BetaSchedule::linear, "linear"},
                                         {BetaSchedule::scaled_linear, "scaled_linear"},
                                         {BetaSchedule::cosine, "squaredcos_cap_v2"}};
const EnumNames<Prediction> kPredictions{{Prediction::epsilon, "epsilon"},
                                         {Prediction::sample, "sample"},
                                         {Prediction::v, "v_prediction"}};
const EnumNames<DdpmVariance> kVariances{{DdpmVariance::fixed_small, "fixed_small"},
                                         {DdpmVariance::fixed_large, "fixed_large"},
                                         {DdpmVariance::fixed_small, "fixed_small_log"}};
const EnumNames<Spacing> kSpacings{{Spacing::leading, "leading"},
                                   {Spacing::trailing, "trailing"},
                                   {Spacing::linspace, "linspace"}};

/// Those whose models predict the noise of x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise,
/// with alpha_bars made from betas; they differ in how they step, which is chosen here. Others
/// (flow matching, VE-SDE, EDM, consistency models) look alike in their keys and are not.
constexpr std::string_view kClasses[] = {"DDPMScheduler",
                                         "DDIMScheduler",
                                         "DDPMParallelScheduler",
                                         "DDIMParallelScheduler",
                                         "PNDMScheduler",
                                         "DPMSolverMultistepScheduler",
                                         "DPMSolverSinglestepScheduler",
                                         "DPMSolverSDEScheduler",
                                         "UniPCMultistepScheduler",
                                         "DEISMultistepScheduler",
                                         "SASolverScheduler",
                                         "EulerDiscreteScheduler",
                                         "EulerAncestralDiscreteScheduler",
                                         "HeunDiscreteScheduler",
                                         "LMSDiscreteScheduler",
                                         "KDPM2DiscreteScheduler",
                                         "KDPM2AncestralDiscreteScheduler",
                                         "RePaintScheduler"};

void require_class(const JsonFields& fields) {
  const Json* name = fields.find("_class_name");
  if (name && std::ranges::find(kClasses, *name) == std::end(kClasses))
    fields.refuse("_class_name",
                  "a scheduler that adds noise by betas, as DDPMScheduler, DDIMScheduler, "
                  "PNDMScheduler, DPMSolverMultistepScheduler or EulerDiscreteScheduler do; the "
                  "model was trained for another process",
                  ErrorCode::unsupported);
}

template <class E>
std::string_view name_of(E value, const EnumNames<E>& names) {
  for (const auto& [e, name] : names)
    if (e == value) return name;
  return {};
}

}  // namespace

SchedulerConfig scheduler_config_from_json(std::string_view text, const std::string& where) {
  const JsonFields fields(text, where);
  require_class(fields);
  fields.require("use_flow_sigmas", {false});
  fields.require("timestep_type", {"discrete"});
  fields.require("trained_betas", {});
  fields.require("rescale_betas_zero_snr", {false});
  fields.require("thresholding", {false});
  fields.require("clip_sample_range", {1});
  SchedulerConfig c;
  fields.read("num_train_timesteps", c.schedule.steps, 1, 1'000'000);
  // A schedule is made from them, so they must lie between 0 and 1, the ends not included.
  fields.read("beta_start", c.schedule.beta_start, 1e-12, 1 - 1e-12);
  fields.read("beta_end", c.schedule.beta_end, 1e-12, 1 - 1e-12);
  fields.read("beta_schedule", c.schedule.kind, kSchedules);
  fields.read("prediction_type", c.prediction, kPredictions);
  fields.read("variance_type", c.variance, kVariances);
  fields.read("clip_sample", c.clip_sample);
  fields.read("set_alpha_to_one", c.set_alpha_to_one);
  fields.read("timestep_spacing", c.timestep_spacing, kSpacings);
  fields.read("steps_offset", c.steps_offset, 0, c.schedule.steps - 1);
  return c;
}

std::string scheduler_config_to_json(const SchedulerConfig& c) {
  const Json json{{"_class_name", "DDPMScheduler"},
                  {"beta_end", c.schedule.beta_end},
                  {"beta_schedule", name_of(c.schedule.kind, kSchedules)},
                  {"beta_start", c.schedule.beta_start},
                  {"clip_sample", c.clip_sample},
                  {"clip_sample_range", 1.0},
                  {"num_train_timesteps", c.schedule.steps},
                  {"prediction_type", name_of(c.prediction, kPredictions)},
                  {"set_alpha_to_one", c.set_alpha_to_one},
                  {"steps_offset", c.steps_offset},
                  {"timestep_spacing", name_of(c.timestep_spacing, kSpacings)},
                  {"variance_type", name_of(c.variance, kVariances)}};
  return json.dump(2) + "\n";
}

}  // namespace unmar
