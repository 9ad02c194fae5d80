#include "tasks/presets.h"

#include "tasks/network_flags.h"

namespace unmar {
namespace {

/// What every preset starts from: the network and the optimiser of Ulyanov et al., "Deep Image
/// Prior", CVPR 2018. The functions below change only what differs.
RestoreOptions common() {
  return {
      .kernel = ReduceKernel::lanczos2,
      .invert_mask = false,
      .keep_known = true,
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
      .optimise = Optimise::weights,
      .lr = 0.01,
      .reg_noise_std = 0.03,
      .loss = LossKind::mse,
      .tv_weight = 0.0,
      .rollback = 5.0,
      .seed = 0,
      .threads = 0,
      .engine = "auto",
  };
}

/// Strong noise wants a stronger jitter of the input, which smooths more.
double denoise_jitter(const RestoreOptions& given) {
  return given.sigma.value_or(25) >= 50 ? 1. / 20 : 1. / 30;
}

RestoreOptions paper(Task task, const RestoreOptions& given) {
  RestoreOptions o = common();
  switch (task) {
    case Task::denoise:
      o.iterations = 3000;
      o.reg_noise_std = denoise_jitter(given);
      break;
    case Task::inpaint:  // the text-removal recipe
      o.iterations = 6001;
      o.skip = 128;
      o.upsample = UpsampleMode::nearest;
      o.average = false;
      o.rollback = 0;
      o.keep_known = false;  // the published pictures are the network's own output
      break;
    case Task::upscale: {
      const bool strong = given.factor.value_or(4) >= 8;
      o.iterations = strong ? 4000 : 2000;
      o.reg_noise_std = strong ? 0.05 : 0.03;
      o.average = false;
      o.rollback = 0;
      break;
    }
  }
  return o;
}

/// Half the channels, nearest up-sampling, which lets the detail in sooner, and a shorter memory of
/// the average: with the paper's jitter a fit is nearly as good as the paper's at its best, in a
/// fifth of the time (docs/results.md).
RestoreOptions quick(Task task, const RestoreOptions& given) {
  RestoreOptions o = common();
  o.channels = 64;
  o.upsample = UpsampleMode::nearest;
  o.average_decay = 0.98;
  switch (task) {
    case Task::denoise:
      o.scales = 4;
      o.iterations = 1500;
      o.reg_noise_std = 1. / 30;
      o.stop = StopRule::automatic;
      o.window = 50;
      o.patience = 120;
      o.min_start = 200;
      o.held_out = 0.05;
      break;
    case Task::inpaint:
      o.iterations = 1500;
      o.reg_noise_std = 0.01;
      break;
    case Task::upscale:
      o.iterations = 700;
      o.reg_noise_std = given.factor.value_or(4) >= 8 ? 0.05 : 0.03;
      break;
  }
  return o;
}

/// The mean of four fits like quick's, longer where no stop rule ends them: their mistakes differ.
/// Against noise they are as wide as the paper's.
RestoreOptions best(Task task, const RestoreOptions& given) {
  RestoreOptions o = quick(task, given);
  o.runs = 4;
  o.iterations = *o.iterations * 2;
  if (task == Task::denoise) {
    o.channels = 128;
    o.reg_noise_std = denoise_jitter(given);
  }
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

/// Each stage begins with a jump that a roll-back would undo.
void take_prior(RestoreOptions& o, Task task, FitPrior prior) {
  o.prior = prior;
  if (prior == FitPrior::dip) return;
  o.rollback = 0;
  const bool staged_denoising = prior == FitPrior::staged && task == Task::denoise;
  o.stop = staged_denoising ? StopRule::stages : StopRule::none;
  if (prior == FitPrior::staged) return;
  o.input = InputKind::observed;  // the kind of input: it is the network's own picture
  o.reg_noise_std = 0;            // the stages have their own
  o.stage_noise = 255;
}

/// The paper and the other priors are what they are without a filter beside them. Holes are filled
/// in pictures without noise, if nothing else is said.
void take_method(RestoreOptions& o, Task task, const RestoreOptions& given) {
  if (task == Task::upscale) return;
  const bool alone = task == Task::inpaint || o.preset == Preset::paper || o.prior != FitPrior::dip;
  o.method = alone ? Method::dip : Method::automatic;
  if (task == Task::inpaint && given.method == Method::automatic) o.keep_known = false;
}

}  // namespace

RestoreOptions preset_options(Task task, const RestoreOptions& given) {
  const Preset preset = given.preset.value_or(Preset::quick);
  const auto recipe = preset == Preset::paper ? paper : preset == Preset::best ? best : quick;
  RestoreOptions options = recipe(task, given);
  options.preset = preset;
  const std::string name = given.custom_network ? network_name(*given.custom_network)
                                                : given.network.value_or(*options.network);
  if (name != options.network) take_network(options, name);
  options.top_channels = given.channels ? given.channels : options.channels;  // as wide everywhere
  take_prior(options, task, given.prior.value_or(FitPrior::dip));
  take_method(options, task, given);
  return options;
}

}  // namespace unmar
