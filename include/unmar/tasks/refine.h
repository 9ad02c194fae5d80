#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "unmar/diffusion/unet_model.h"
#include "unmar/diffusion/weights.h"
#include "unmar/tasks/tasks.h"

/// Restoring with both priors: an untrained network gives a first picture, a trained diffusion
/// model of such pictures refines it.
///
/// The prior is fitted to the degraded picture through its operator. As much noise is added to it
/// as drowns its error, and the reverse chain runs from there (Meng et al., "SDEdit", 2021; Chung
/// et al., "Come-Closer-Diffuse-Faster", CVPR 2022), tied to the degraded picture at each step.
/// The clean picture is never looked at but to measure.
namespace unmar {

/// What the chain starts from.
enum class StartFrom {
  noise,  ///< alone, at T - 1
  input,  ///< the degraded picture: enlarged by bicubic, missing pixels black
  prior,  ///< what generate_prior() makes of it
};
/// What ties each step to the degraded picture: see diffusion.h. repaint: inpaint only.
enum class Consistency { none, ddnm, repaint, dps };

struct RefineOptions {
  /// What is known of the damage, and how the prior is fitted. `seed`, `threads` and `engine` serve
  /// the chain, too.
  RestoreOptions restore = {};
  StartFrom from = StartFrom::prior;
  /// t0, 0 to T - 1. Empty: the first timestep whose noise (its standard deviation in the picture
  /// as NoiseSchedule::sigma says, in [-1,1] units) is `entry_factor` times the prior's error, as
  /// estimate_error() puts it.
  std::optional<int> start = {};
  /// Empty: 2; to denoise 1, where a noisier start changes more than it mends (docs/diffusion.md).
  std::optional<double> entry_factor = {};
  /// Instead of noising the prior, for comparison only: x_T = w prior + (1 - w) noise, from T - 1.
  /// What comes of it is no sample of x_T: neither its variance nor its independence of x0 is
  /// right.
  std::optional<double> prior_weight = {};
  std::string sampler = "ddim";    ///< of make_sampler()
  std::optional<double> eta = {};  ///< of ddim; empty: 0.85 with consistency (DDNM's), else 0
  int steps = 50;  ///< calls of the model; fewer if there are no more timesteps up to t0
  /// Empty: ddnm; for denoise none, where it costs a dB and more of strong noise
  /// (docs/diffusion.md).
  std::optional<Consistency> consistency = {};
  double dps_scale = 1;             ///< of make_dps()
  std::optional<int> overlap = {};  ///< of the windows of pictures larger than the model's; empty:
                                    ///< a quarter of its size
};

/// The table of the options but those in `restore`, which are in option_table().
const std::vector<Option<RefineOptions>>& refine_options();
const EnumNames<Consistency>& consistency_names();
std::string to_string(Consistency consistency);

/// The standard deviation that a prior's error is thought to have, range 1.
struct ErrorEstimate {
  double rmse = 0;
  double noise = 0;  ///< sigma of the noise in the degraded picture, range 1; 0: none
};
struct Prior {
  Restored restored;
  ErrorEstimate error;
};

/// restore(), with an estimate of the error of what it makes:
/// - denoise: half of the noise; all of it for StartFrom::input, so that with an entry_factor of 1
///   the chain enters where it is as noisy as the picture. The noise is `sigma`, or else the
///   residual |prior - degraded|.
/// - inpaint: the error at known pixels that are hidden from the fit. For that at least 64 of them
///   are hidden, but no more than a tenth; they come back with the result. A hole wider than the
///   detail around it is harder than what was hidden, but a noisier start is no better there.
/// - upscale: what the degraded picture itself loses by being halved and enlarged again, times
///   sqrt(log2 factor): the spectra of pictures hold about as much in each octave.
/// throws what restore() throws.
Prior generate_prior(Task task, const Image& degraded, const Image* mask,
                     const RestoreOptions& options, const RestoreContext& context = {});

/// Seconds on the wall and of all cores together.
struct Spent {
  double seconds = 0, cpu_seconds = 0;
};

/// Into how many windows a chain cuts a picture [1,c,h,w] that is larger than the model's. overlap:
/// as in RefineOptions.
int window_count(const DdpmUnetOptions& unet, const Shape& picture, std::optional<int> overlap);

struct Refined {
  Image image;                             ///< as Restored::image
  RefineOptions options;                   ///< all that was used, presets included
  std::optional<Restored> fit;             ///< of the prior, if there was one
  Image prior;                             ///< what the chain started from; empty: noise
  std::optional<ErrorEstimate> error;      ///< if it was estimated
  ValueCounts values;                      ///< of what came in
  int start = 0;                           ///< t0
  int timesteps = 0;                       ///< of the chain
  int windows = 1;                         ///< that a picture is cut into
  int evaluations = 0;                     ///< of the network, forward: timesteps * windows
  int gradients = 0;                       ///< of the network, with a pass of their own each
  Spent fit_time, model_time, chain_time;  ///< of the prior; until the model is ready; of the chain
  bool cancelled = false;
  // Against the reference; empty without one.
  std::optional<double> psnr, ssim, psnr_prior, ssim_prior, psnr_input, ssim_input;
};

/// How the network of a chain is made. options: resolved.
UnetModelOptions chain_network(const DdpmUnetOptions& unet, const RestoreOptions& options);
/// Bytes that a chain takes. options: resolved.
struct ChainMemory {
  std::size_t weights = 0;  ///< as they were read; the network has its own
  std::size_t network = 0;
  std::size_t pictures = 0;
};
/// result: [1,c,h,w].
ChainMemory memory_of_chain(const DdpmUnetOptions& unet, const RefineOptions& options,
                            const Shape& result);

/// All of it is borrowed for the call.
struct RefineContext {
  RestoreContext restore = {};   ///< of the fit; its reference and cancel serve the chain, too
  const Image* prior = nullptr;  ///< instead of a fit: any picture of the size of the result
  /// The model's network, as chain_network() says; its weights then need not be given. Null: made
  /// for the call.
  UnetModel* network = nullptr;
  /// Where the result lies in that of a larger picture, row and column in px: the noise is then
  /// that of its place, see gaussian_source_at(). Empty: it is all there is.
  std::optional<std::pair<int, int>> place = {};
  /// The chain is about to start; image, evaluations and chain_seconds are still to come.
  std::function<void(const Refined&)> on_chain = {};
  std::function<void(const SampleProgress&)> on_step = {};
};

/// Restores. The model's pictures must have as many channels; larger ones than it was trained with
/// are cut into overlapping windows. Cancelled: the best so far, which is the prior's during its
/// fit and then the estimate of the chain. Same options, engine and machine: same result.
/// throws Error{bad_argument} for options that contradict each other, the task or the model,
/// Error{bad_input} for pictures that do not suit the model, and what restore() and sample() throw.
/// Memory: that of the fit, then of the network and some ten pictures; see refine_tiles.h for large
/// ones.
Refined refine(Task task, const Image& degraded, const Image* mask, DiffusersModel model,
               const RefineOptions& options = {}, const RefineContext& context = {});

}  // namespace unmar
