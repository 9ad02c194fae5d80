#include "engine/precision_option.h"
#include "tasks/option_builders.h"

// Every option of the tasks. A help text is one phrase of what the option is, then ';' and more.

namespace unmar {
namespace {

using R = RestoreOptions;

std::vector<OptionSpec> damage() {
  return {
      basic(in_unit(
          "0-255 scale",
          only_for({Task::denoise, Task::deblur},
                   number("sigma", &R::sigma, 0, 255,
                          "standard deviation of the noise; otherwise denoise estimates it; "
                          "there 50 or more selects a stronger smoothing of the fit")))),
      only_for({Task::denoise, Task::inpaint},
               choice("noise", &R::noise,
                      {{"white", NoiseKind::white},
                       {"poisson", NoiseKind::poisson},
                       {"correlated", NoiseKind::correlated}},
                      "what kind of noise it is, for --method auto and patches; otherwise it is "
                      "found out; as strong everywhere, stronger where it is brighter, or shared "
                      "by neighbours as in cameras' JPEG files")),
      only_for({Task::upscale}, basic(required(one_of("factor", &R::factor, {2, 3, 4, 8},
                                                      "how many times larger the result is")))),
      only_for({Task::upscale},
               choice("kernel", &R::kernel,
                      {{"lanczos2", ReduceKernel::lanczos2},
                       {"lanczos3", ReduceKernel::lanczos3},
                       {"bicubic", ReduceKernel::bicubic},
                       {"box", ReduceKernel::box}},
                      "how the large picture is thought to have become the small one")),
      only_for(
          {Task::inpaint},
          basic(flag("invert-mask", &R::invert_mask,
                     "the mask is black where the picture is known and white where it is to be "
                     "filled"))),
      only_for({Task::inpaint},
               basic(in_forms({"RRGGBB"},
                              text("mask-colour", &R::mask_colour,
                                   "fill what has this colour in the picture of --mask, a copy "
                                   "that someone painted on; FF0000 is red")))),
      only_for({Task::inpaint},
               basic(in_unit("px", integer("mask-grow", &R::mask_grow, 0, 10'000,
                                           "make what is to be filled so much larger all "
                                           "around")))),
      only_for({Task::inpaint},
               basic(in_unit("px", integer("mask-feather", &R::mask_feather, 0, 10'000,
                                           "blend what was filled with what was there over so "
                                           "many pixels around")))),
      only_for({Task::inpaint},
               flag("keep-known", &R::keep_known,
                    "pixels where the mask is white are returned as they came, gray ones are "
                    "blended; otherwise they too are the network's")),
      only_for(
          {Task::deblur},
          required(in_forms(
              {"gauss:SIGMA", "motion:LENGTH,ANGLE", "disk:RADIUS", "FILE"},
              text("blur", &R::blur,
                   "how it is blurred; by a Gaussian of standard deviation SIGMA, along a line of "
                   "LENGTH at ANGLE (degrees, counter-clockwise), by a disk of RADIUS as out of "
                   "focus (all in pixels), or by the kernel in a picture, whose centre is its "
                   "middle")))),
  };
}

std::vector<OptionSpec> duration() {
  return {
      in_unit("fits", integer("runs", &R::runs, 1, 100,
                              "number of fits, each with another seed; the result is their mean; "
                              "their mistakes differ and fade; the first finds the iteration by "
                              "--stop, the others see all values and end there")),
      basic(in_unit("iterations",
                    integer("iterations", &R::iterations, 1, 1'000'000,
                            "upper bound of a fit; with --stop it usually ends sooner, and "
                            "tiles and small pictures have fewer"))),
      choice("stop", &R::stop,
             {{"auto", StopRule::automatic},
              {"none", StopRule::none},
              {"wmv", StopRule::wmv},
              {"emv", StopRule::emv},
              {"held-out", StopRule::held_out},
              {"self-reference", StopRule::self_reference},
              {"discrepancy", StopRule::discrepancy},
              {"sure", StopRule::sure},
              {"stages", StopRule::stages}},
             "what ends the fit before it learns the damage; held-out watches the error of the "
             "result at values hidden from the fit, wmv and emv its windowed or exponential "
             "variance, self-reference how well it predicts the other noisy colours, and they "
             "return the iteration where that was least; discrepancy and sure (with --input "
             "observed) need --sigma; stages judges the stages of --prior staged; auto is "
             "held-out with self-reference (gray: alone), or wmv "
             "where that cannot be; none runs all iterations"),
      in_unit("iterations",
              integer("window", &R::window, 2, 10'000, "results that --stop wmv looks back on")),
      in_unit("iterations",
              integer("patience", &R::patience, 1, 1'000'000,
                      "time without a smaller value of what is watched after which the fit ends")),
      in_unit("iterations", integer("min-start", &R::min_start, 0, 1'000'000,
                                    "of wmv and emv: start of the search for the least variance; "
                                    "the first ones are calm because nothing is learnt yet")),
      number(
          "held-out", &R::held_out, 0.001, 0.5,
          "fraction of the pixels that auto and held-out hide from the fit; at most 8192 pixels; "
          "auto hides more of a small picture, up to 0.15, until there are 100 values or so"),
      text("watch", &R::watch,
           "stop rules, with commas between, that look on and write what they see and would have "
           "done to --history; held-out hides its values here, too"),
      flag("average", &R::average,
           "returns a running average over the iterations, which is nearly always better than "
           "one of them"),
      number("average-decay", &R::average_decay, 0.0, 0.9999,
             "weight of the past in the running average; 0.99 covers about 100 iterations; of the "
             "first ones the weight is less"),
      choice("keep", &R::keep,
             {{"average", Keep::average}, {"best", Keep::best}, {"last", Keep::last}},
             "what is returned; the running average at the iteration that --stop chose, that "
             "iteration itself, or the last one"),
  };
}

std::vector<OptionSpec> network() {
  const std::vector<std::string> all = network_names();
  return {
      one_of_names("network", &R::network, all,
                   "what is fitted to the picture; 'unmar networks' compares them"),
      of_networks(
          all, in_unit("levels", integer("scales", &R::scales, 1, 16,
                                         "depth of the network; scales of skip and unet, blocks of "
                                         "resnet, layers of the others"))),
      of_networks(
          all, in_unit("channels", integer("channels", &R::channels, 1, 1024,
                                           "width of the network, of unet at full size; time and "
                                           "memory grow with it"))),
      of_networks({"skip"},
                  in_unit("channels",
                          integer("top-channels", &R::top_channels, 1, 1024,
                                  "width at full size, where it costs most; it doubles from scale "
                                  "to scale until it is that of --channels"))),
      of_networks({"skip"},
                  in_unit("channels", integer("skip", &R::skip, 0, 512,
                                              "width of the skip connection of every scale; 0 for "
                                              "none"))),
      of_networks(
          {"skip", "unet"},
          choice("skip-mode", &R::skip_mode,
                 {{"concat", SkipMode::concat}, {"add", SkipMode::add}, {"none", SkipMode::none}},
                 "how skip connections join the decoder; side by side, added, not at all")),
      of_networks({"skip"}, flag("one-by-one", &R::one_by_one,
                                 "has a 1x1 convolution behind each 3x3 one of the decoder")),
      of_networks({"skip", "unet"}, choice("downsample", &R::downsample,
                                           {{"stride", DownsampleMode::stride},
                                            {"max", DownsampleMode::max},
                                            {"average", DownsampleMode::average},
                                            {"area", DownsampleMode::area},
                                            {"bilinear", DownsampleMode::bilinear},
                                            {"lanczos2", DownsampleMode::lanczos2},
                                            {"lanczos3", DownsampleMode::lanczos3}},
                                           "how the encoder shrinks")),
      of_networks({"skip", "unet", "decoder", "convdecoder"},
                  choice("upsample", &R::upsample,
                         {{"nearest", UpsampleMode::nearest},
                          {"bilinear", UpsampleMode::bilinear},
                          {"bicubic", UpsampleMode::bicubic},
                          {"transposed", UpsampleMode::transposed},
                          {"pixel_shuffle", UpsampleMode::pixel_shuffle}},
                         "how the decoder enlarges; bilinear smooths more, the last two learn")),
      of_networks(all,
                  choice("norm", &R::norm,
                         {{"batch", NetworkNorm::batch},
                          {"instance", NetworkNorm::instance},
                          {"group", NetworkNorm::group},
                          {"none", NetworkNorm::none}},
                         "what normalises the features; for one picture batch and instance are "
                         "the same")),
      of_networks(all, choice("activation", &R::activation,
                              {{"leaky_relu", NetworkActivation::leaky_relu},
                               {"relu", NetworkActivation::relu},
                               {"elu", NetworkActivation::elu},
                               {"silu", NetworkActivation::silu},
                               {"gelu", NetworkActivation::gelu},
                               {"tanh", NetworkActivation::tanh},
                               {"sigmoid", NetworkActivation::sigmoid},
                               {"none", NetworkActivation::none}},
                              "non-linearity between the convolutions")),
      of_networks(
          {"skip", "unet", "resnet", "convdecoder", "plain"},
          choice("border", &R::border, {{"zero", Border::zero}, {"reflect", Border::reflect}},
                 "what convolutions see beyond the edge")),
      choice("input", &R::input,
             {{"uniform", InputKind::uniform},
              {"normal", InputKind::normal},
              {"meshgrid", InputKind::meshgrid},
              {"fourier", InputKind::fourier},
              {"observed", InputKind::observed},
              {"guide", InputKind::guide},
              {"filtered", InputKind::filtered}},
             "what the network starts from; noise, the pixel coordinates, waves over them, the "
             "damaged picture, the picture of --guide, or the patch filter's result"),
      in_unit("channels",
              integer("input-channels", &R::input_channels, 1, 256,
                      "width of the input if it is noise or fourier (a multiple of 4)")),
  };
}

std::vector<OptionSpec> fitting() {
  return {
      choice("prior", &R::prior,
             {{"dip", FitPrior::dip},
              {"self-diffusion", FitPrior::self_diffusion},
              {"staged", FitPrior::staged},
              {"gan", FitPrior::gan}},
             "what the fit counts on; dip: the network alone; self-diffusion: it starts again and "
             "again from its own picture with ever less noise; staged: the picture it is compared "
             "with has ever less noise; gan: what the generator of --model can make"),
      in_unit("stages", integer("stages", &R::stages, 1, 10'000,
                                "noise levels of --prior self-diffusion and staged")),
      in_unit("0-255 scale",
              number("stage-noise", &R::stage_noise, 0, 2550,
                     "standard deviation of the noise in the first stage; self-diffusion 255")),
      for_gan(in_unit("fits",
                      integer("starts", &R::starts, 1, 1000,
                              "of --prior gan: random inputs of the generator, each fitted for "
                              "--iterations at --lr; the one that explains the picture best goes "
                              "on"))),
      for_gan(in_unit(
          "iterations",
          integer("weight-iterations", &R::weight_iterations, 0, 1'000'000,
                  "upper bound of the second phase of --prior gan, in which the generator's "
                  "weights learn, too; --stop ends it; 0 for none"))),
      for_gan(number("weight-lr", &R::weight_lr, 1e-6, 1, "learning rate of that phase")),
      choice("optimise", &R::optimise,
             {{"weights", Optimise::weights},
              {"weights+input", Optimise::weights_and_input},
              {"input", Optimise::input},
              {"norms", Optimise::norms},
              {"norms+input", Optimise::norms_and_input}},
             "what the fit changes; norms leaves the convolutions as random as they start"),
      number("lr", &R::lr, 1e-6, 1, "learning rate of Adam"),
      number("reg-noise-std", &R::reg_noise_std, 0, 10,
             "standard deviation of the noise added to the input anew in each iteration"),
      choice("loss", &R::loss, {{"mse", LossKind::mse}, {"l1", LossKind::l1}},
             "how the difference to the observed picture counts; l1 forgives outliers"),
      number("tv-weight", &R::tv_weight, 0, 1000,
             "weight of the total variation of the result in the loss; 0 for none"),
      in_unit("dB", number("rollback", &R::rollback, 0, 100,
                           "fall of the fit from one iteration to the next that is undone; 0 for "
                           "never")),
  };
}

std::vector<OptionSpec> run() {
  return {
      basic(integer("seed", &R::seed, 0, std::int64_t{9'007'199'254'740'992},
                    "start of the random numbers; same seed, same result")),
      in_unit("threads", integer("threads", &R::threads, 0, 1024, "cores to use; 0 for all")),
      text("engine", &R::engine,
           "what computes; auto is the fastest that is worth its start, 'unmar info' lists the "
           "others; cuda:1 is a second card"),
      precision_choice(&R::precision),
      in_unit("GiB", number("max-memory", &R::max_memory, 0.001, 1'000'000,
                            "memory that the fit may take; otherwise what the machine has "
                            "available")),
  };
}

std::vector<OptionSpec> make_table() {
  std::vector<OptionSpec> table;
  add_group(
      table, "Recipe",
      {basic(choice("preset", &R::preset,
                    {{"quick", Preset::quick}, {"best", Preset::best}, {"paper", Preset::paper}},
                    "set of defaults for all other options; best is the mean of several "
                    "longer fits, paper the published recipe")),
       basic(only_for(
           {Task::denoise, Task::inpaint},
           choice("method", &R::method,
                  {{"auto", Method::automatic}, {"patches", Method::patches}, {"dip", Method::dip}},
                  "what removes noise; patches: a filter that takes seconds, only for "
                  "denoise; dip: the fit; auto: both, blended; pixels that neither has seen "
                  "decide how much of each"))),
       basic(number("strength", &R::strength, 0, 1,
                    "share of the restored picture in the result; the rest is what came in "
                    "(upscale: enlarged by bicubic); missing pixels are filled in any case")),
       basic(in_forms(
           {"auto", "none", "PX"},
           text("tile", &R::tile,
                "side of the tiles that a large picture is restored in; each is fitted and "
                "stopped by itself; PX is the side in the result, overlap included, at least 64; "
                "auto: 160 above a megapixel, 320 without a fit; below, from 200x200 px on, "
                "denoise filters the whole and fits it tile by tile; none: the picture as a "
                "whole")))});
  add_group(table, "Damage", damage());
  add_group(table, "Duration", duration());
  add_group(table, "Network", network());
  add_group(table, "Fit", fitting());
  add_group(table, "Run", run());
  return table;
}

}  // namespace

const std::vector<OptionSpec>& option_table() {
  static const std::vector<OptionSpec> table = make_table();
  return table;
}

}  // namespace unmar
