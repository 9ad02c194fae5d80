#include "tasks/presets.h"

#include "tasks/network_flags.h"
#include "tasks/task.h"

namespace unmar {
namespace {

/// What every preset starts from: the network and the optimiser of Ulyanov et al., "Deep Image
/// Prior", CVPR 2018. The functions below, and those of
/// the tasks, change only what differs.
RestoreOptions common() {
  return {
      .kernel = ReduceKernel::lanczos2,
      .invert_mask = false,
      .mask_grow = 0,
      .mask_feather = 0,
      .keep_known = true,
      .strength = 1,
      .tile = "auto",
      .runs = 1,
      .iterations = 3000,
      .stop = StopRule::none,
      .window = 100,
      .patience = 1000,
      .min_start = 100,
      .held_out = 0.02,
      .average = true,
      .average_decay = 0.99,
      .keep = Keep::average,
      .network = "skip",
      .scales = 5,
      .channels = 128,
      .skip = 4,
      .downsample = DownsampleMode::stride,
      .upsample = UpsampleMode::bilinear,
      .skip_mode = SkipMode::concat,
      .one_by_one = true,
      .norm = NetworkNorm::batch,
      .activation = NetworkActivation::leaky_relu,
      .border = Border::reflect,
      .input = InputKind::uniform,
      .input_channels = 32,
      .prior = FitPrior::dip,
      .stages = 20,
      .stage_noise = 100.0,
      .starts = 4,
      .weight_iterations = 100,
      .weight_lr = 0.001,
      .optimise = Optimise::weights,
      .lr = 0.01,
      .reg_noise_std = 0.03,
      .loss = LossKind::mse,
      .tv_weight = 0.0,
      .rollback = 5.0,
      .seed = 0,
      .threads = 0,
      .engine = "auto",
      .precision = Precision::tf32,
  };
}

RestoreOptions paper(const TaskSpec& task, const RestoreOptions& given) {
  RestoreOptions o = common();
  task.paper(o, given);
  return o;
}

/// Half the channels, nearest up-sampling, which lets the detail in sooner, and a shorter memory of
/// the average: with the paper's jitter a fit is nearly as good as the paper's at its best, in a
/// fifth of the time (docs/results.md).
RestoreOptions quick(const TaskSpec& task, const RestoreOptions& given) {
  RestoreOptions o = common();
  o.channels = 64;
  o.upsample = UpsampleMode::nearest;
  o.average_decay = 0.98;
  task.quick(o, given);
  return o;
}

/// The mean of four fits like quick's, longer where no stop rule ends them: their mistakes differ.
RestoreOptions best(const TaskSpec& task, const RestoreOptions& given) {
  RestoreOptions o = quick(task, given);
  o.runs = 4;
  o.starts = 8;
  o.weight_iterations = 200;
  o.iterations = *o.iterations * 2;
  if (task.best) task.best(o, given);
  return o;
}

/// The network's own defaults, where it is not the one that the recipes are made for; quick makes
/// the wide ones narrower, best fits them longer.
void take_network(RestoreOptions& o, const std::string& name) {
  const bool quick = o.preset == Preset::quick, paper = o.preset == Preset::paper;
  const int longer = quick ? 1 : 2;
  o.network = name;
  o.scales = o.channels = o.skip = std::nullopt;
  o.downsample = std::nullopt;
  o.upsample = std::nullopt;
  o.skip_mode = std::nullopt;
  o.one_by_one = std::nullopt;
  o.norm = std::nullopt;
  o.activation = std::nullopt;
  o.border = std::nullopt;
  if (name == "unet" && quick) o.channels = 32;
  if (name == "convdecoder" && quick) o.channels = 64;
  // Without an encoder that shrinks, jitter of the input is not smoothed away: they fit no detail.
  if (name != "unet") o.reg_noise_std = 0;
  if (name == "decoder") o.iterations = paper ? 5000 : 1500 * longer;
  if (!paper && name == "convdecoder") o.iterations = 800 * longer;
  if (!paper && (name == "resnet" || name == "plain")) o.iterations = 400 * longer;
  // The recipes of the original code for these two.
  if (paper && (name == "unet" || name == "resnet")) {
    o.iterations = 3001;
    o.lr = 0.001;
    o.reg_noise_std = 0;
  }
  fill_network_options(o);
}

/// Its pictures have no noise until its weights learn some, which is a matter of some iterations.
void take_gan(RestoreOptions& o, const TaskSpec& task, const RestoreOptions& given) {
  o.iterations = o.preset == Preset::best ? 2000 : 1000;
  o.lr = 0.05;
  o.stop = given.sigma.value_or(0) > 0 ? StopRule::discrepancy
           : task.only_noise           ? StopRule::automatic
                                       : StopRule::none;
  o.window = 10;
  o.patience = 20;
  o.min_start = 0;
  o.runs = 1;
  o.average = false;
  o.keep = Keep::best;
  o.reg_noise_std = 0;
}

/// Each stage begins with a jump that a roll-back would undo.
void take_prior(RestoreOptions& o, const TaskSpec& task, const RestoreOptions& given) {
  const FitPrior prior = given.prior.value_or(FitPrior::dip);
  o.prior = prior;
  if (prior == FitPrior::dip) return;
  o.rollback = 0;
  if (prior == FitPrior::gan) return take_gan(o, task, given);
  const bool judged = prior == FitPrior::staged && task.only_noise;
  o.stop = judged ? StopRule::stages : StopRule::none;
  if (prior == FitPrior::staged) return;
  o.input = InputKind::observed;  // the kind of input: it is the network's own picture
  o.reg_noise_std = 0;            // the stages have their own
  o.stage_noise = 255;
}

/// The paper and the other priors are what they are without a filter beside them.
void take_method(RestoreOptions& o, const TaskSpec& task, const RestoreOptions& given) {
  if (!task.method) return;
  const bool alone = o.preset == Preset::paper || o.prior != FitPrior::dip;
  o.method = alone ? Method::dip : task.method;
  const bool filters = given.method.value_or(*o.method) == Method::automatic;
  if (filters && task.only_noise && o.network == "skip" && !given.custom_network)
    o.input = InputKind::filtered;
}

}  // namespace

RestoreOptions preset_options(Task named, const RestoreOptions& given) {
  const TaskSpec& task = task_spec(named);
  const Preset preset = given.preset.value_or(Preset::quick);
  const auto recipe = preset == Preset::paper ? paper : preset == Preset::best ? best : quick;
  RestoreOptions options = recipe(task, given);
  options.preset = preset;
  const std::string name = given.custom_network ? network_name(*given.custom_network)
                                                : given.network.value_or(*options.network);
  if (name != options.network) take_network(options, name);
  options.top_channels = given.channels ? given.channels : options.channels;  // as wide everywhere
  take_prior(options, task, given);
  take_method(options, task, given);
  return options;
}

}  // namespace unmar
