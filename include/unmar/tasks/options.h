#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unmar/base/option.h"
#include "unmar/fit/fit.h"
#include "unmar/image/image.h"
#include "unmar/noise/noise.h"

/// The options of the tasks. Each is declared once, in src/tasks/option_table.cpp; command line,
/// manifest and docs/options.md read that table.
namespace unmar {

struct GanModel;

enum class Task { denoise, inpaint, upscale, deblur };
enum class Preset { quick, best, paper };
enum class StopRule {
  automatic,
  none,
  wmv,
  emv,
  discrepancy,
  held_out,
  self_reference,
  sure,
  stages
};
/// What removes noise. automatic: the patch filter first, then the fit, then a patch step with the
/// fit as its pilot, and of all three the blend that pixels hidden from them speak for.
enum class Method { automatic, patches, dip };
/// What keeps the network from learning the damage beside its form. self_diffusion: its input is
/// its own picture so far with falling noise. staged: the target has falling noise. gan: no
/// untrained network but the generator of a GAN; first its input is fitted, from several starts
/// (Bora et al., "CSGM", ICML 2017), then from the best of them its weights, too (Pan et al., "Deep
/// generative prior", ECCV 2020; Roich et al., "Pivotal tuning", 2021).
enum class FitPrior { dip, self_diffusion, staged, gan };

/// What there is to say of a task. The table of them is src/tasks/task.cpp.
struct TaskInfo {
  const char* name;
  const char* summary;   ///< one line
  const char* details;   ///< for help texts, some lines
  const char* examples;  ///< command lines, each indented by two blanks
  bool needs_mask = false;
  bool refines = false;  ///< refine() can go on with what it makes
};
const std::vector<Task>& all_tasks();
const TaskInfo& task_info(Task task);
std::vector<std::string> task_names();

const char* to_string(Task task);
Task task_named(std::string_view name);  ///< throws Error{bad_argument}

/// What the caller wants. Everything is optional: what is not given comes from the preset
/// (src/tasks/presets.cpp and the task's own file). Ranges, units and meaning are those of
/// docs/options.md, where a field is called as here but with '-' for '_'.
struct RestoreOptions {
  std::optional<Preset> preset = {};
  std::optional<Method> method = {};  ///< denoise, inpaint; patches: denoise

  // What is known of the damage.
  std::optional<double> sigma = {};     ///< denoise, deblur; 0-255 scale
  std::optional<NoiseKind> noise = {};  ///< denoise, inpaint; empty: estimated
  /// Instead of both: all that is known of the noise, as estimate_noise() found it in the picture
  /// that this is a part of.
  std::shared_ptr<const NoiseModel> noise_model = {};
  std::optional<int> factor = {};               ///< upscale: 2, 3, 4 or 8
  std::optional<ReduceKernel> kernel = {};      ///< upscale: how the small picture came about
  std::optional<bool> invert_mask = {};         ///< inpaint: black is known, white is to be filled
  std::optional<std::string> mask_colour = {};  ///< inpaint: "FF0000": the mask is where it is so
  std::optional<int> mask_grow = {};            ///< inpaint: pixels
  std::optional<int> mask_feather = {};         ///< inpaint: pixels
  std::optional<bool> keep_known = {};          ///< inpaint: known pixels stay as they are
  /// inpaint: instead of a mask, what known_pixels() made of one.
  std::shared_ptr<const Image> known = {};
  std::optional<double> strength = {};   ///< share of the restored picture in the result
  std::optional<std::string> blur = {};  ///< deblur: in words, as parse_blur() reads it
  /// deblur: instead of `blur`, a picture of the kernel, whose centre is its middle.
  std::shared_ptr<const Image> blur_kernel = {};

  /// "auto", "none" or the side of a tile in px of the result: see tiles.h. Serves runs; restore()
  /// itself never cuts a picture.
  std::optional<std::string> tile = {};

  // How long, and which iterate is the result.
  std::optional<int> runs = {};  ///< fits that the result is the mean of
  std::optional<int> iterations = {};
  std::optional<StopRule> stop = {};
  std::optional<int> window = {};
  std::optional<int> patience = {};
  std::optional<int> min_start = {};
  std::optional<double> held_out = {};    ///< fraction of the values
  std::optional<std::string> watch = {};  ///< names of stop rules, with commas between
  std::optional<bool> average = {};
  std::optional<double> average_decay = {};
  std::optional<Keep> keep = {};

  // The network and its input.
  std::optional<std::string> network = {};  ///< one of network_names()
  std::optional<int> scales = {};           ///< how deep, in the unit of the network
  std::optional<int> channels = {};         ///< of every scale; unet: of the first
  std::optional<int> top_channels = {};     ///< at full size, twice as many in each scale below
  std::optional<int> skip = {};             ///< of every scale; 0: no skip connections
  std::optional<DownsampleMode> downsample = {};
  std::optional<UpsampleMode> upsample = {};
  std::optional<SkipMode> skip_mode = {};
  std::optional<bool> one_by_one = {};  ///< a 1x1 convolution behind each 3x3 of the decoder
  std::optional<NetworkNorm> norm = {};
  std::optional<NetworkActivation> activation = {};
  std::optional<Border> border = {};
  std::optional<InputKind> input = {};
  std::optional<int> input_channels = {};
  /// A network in full, instead of the options from `network` to `border`, which must not be given
  /// beside it.
  std::optional<NetworkOptions> custom_network = {};
  /// The picture of --input guide, of the size of the result.
  std::shared_ptr<const Image> guide = {};

  // How it is fitted.
  std::optional<FitPrior> prior = {};
  std::optional<int> stages = {};             ///< of self_diffusion and staged
  std::optional<double> stage_noise = {};     ///< in the first; 0-255 scale
  std::shared_ptr<const GanModel> gan = {};   ///< of prior gan: what it restores with
  std::optional<int> starts = {};             ///< gan: each of `iterations`, at rate `lr`
  std::optional<int> weight_iterations = {};  ///< gan: of the weights; 0: they stay
  std::optional<double> weight_lr = {};       ///< gan
  std::optional<Optimise> optimise = {};
  std::optional<double> lr = {};
  std::optional<double> reg_noise_std = {};
  std::optional<LossKind> loss = {};
  std::optional<double> tv_weight = {};
  std::optional<double> rollback = {};  ///< dB; 0: off

  // The run.
  std::optional<std::int64_t> seed = {};
  std::optional<int> threads = {};         ///< 0: all cores
  std::optional<std::string> engine = {};  ///< "auto" or one of engine_names()
  std::optional<Precision> precision = {};
  std::optional<double> max_memory = {};  ///< GiB; empty: what the machine has available
};

/// One row of the table.
struct OptionSpec : Option<RestoreOptions> {
  OptionSpec() = default;
  OptionSpec(Option<RestoreOptions> option) : Option(std::move(option)) {}

  std::vector<Task> tasks;            ///< which have it; empty: all
  std::vector<std::string> networks;  ///< for which it means something; empty: any, also none
  bool for_gan = false;               ///< of FitPrior::gan alone

  bool serves(Task task) const;
  bool serves_network(std::string_view name) const;
};

const std::vector<OptionSpec>& option_table();
const OptionSpec& option_spec(std::string_view name);  ///< throws Error{bad_argument} if unknown

/// Sets one option from a typed value, or from text; a flag's text is "true" or "false".
/// throws Error{bad_argument} naming the option, its range and what was given.
void set_option(RestoreOptions& options, Task task, const OptionSpec& spec,
                const OptionValue& value);
void parse_option(RestoreOptions& options, Task task, const OptionSpec& spec,
                  std::string_view text);

/// Fills what is not given from the preset (sigma and noise may stay empty: not known; watch:
/// nobody; mask_colour: none).
/// throws Error{bad_argument} for a value out of range, an option that the task or the network does
/// not have, upscale without a factor or deblur without a blur.
RestoreOptions resolve(Task task, const RestoreOptions& given);

/// What the preset gives an option when nothing is known of the damage (upscale: as for factor
/// 4), for help texts; empty for what the user must or may say himself: sigma, factor, blur and
/// watch.
std::optional<OptionValue> preset_value(const OptionSpec& spec, Task task, Preset preset);

/// What resolved options describe: the network, the problem without the picture of --input, and the
/// fit.
NetworkOptions network_options(const RestoreOptions& resolved);
/// problem_options(): throws Error{bad_argument} for prior gan without a model.
ProblemOptions problem_options(const RestoreOptions& resolved);
FitOptions fit_options(const RestoreOptions& resolved);
/// Upper bound of all fits of a restoration together, of one piece.
int most_iterations(const RestoreOptions& resolved);
/// The same, also of a picture that is fitted in tiles. mask: inpaint; may be null.
int most_iterations(Task task, const Image& observed, const Image* mask,
                    const RestoreOptions& given);
/// Bytes that a restoration takes, of a picture of this shape that has no holes: its fit, of one
/// piece or of one tile, the filter, and the pictures. From the sizes alone. throws as resolve().
std::size_t memory_needed(Task task, const Shape& observed, const RestoreOptions& given);
/// throws Error{too_large} if fitting a picture of this shape takes more memory than --max-memory,
/// or than the machine has.
void require_memory(Task task, const Shape& picture, const Operator& A,
                    const RestoreOptions& resolved, const Engine& engine);

/// A JSON schema of the options of a task as FitRequest's JSON holds them, with the defaults of
/// quick: for web forms and other languages. "x-group", "x-unit" and "x-basic" say how to show
/// them.
std::string options_schema(Task task);

/// docs/options.md, generated.
std::string options_markdown();

}  // namespace unmar
