#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/engine/engine.h"
#include "unmar/fit/fit.h"
#include "unmar/image/image.h"
#include "unmar/tasks/options.h"

/// Restoring a picture: the four tasks as one call each.
namespace unmar {

/// One of the pictures that --method auto blends.
struct Candidate {
  std::string name;  ///< "patches": the filter; "dip": the fit; "dip+patches": the step behind it
  Image image;       ///< finished like the result
  /// Mean squared distance from the noisy values that no candidate has seen, made for that purpose
  /// without them; range 1. Their noise is most of it. Empty: too few could be hidden.
  std::optional<double> error = {};
  double weight = 0;  ///< in the result
  double seconds = 0;
  std::optional<double> psnr = {};  ///< against the reference
};

/// What became of the values (pixels times channels) of a picture; each counts once.
struct ValueCounts {
  std::size_t all = 0;
  std::size_t known = 0;            ///< that the fit was shown
  std::size_t blended = 0;          ///< gray in the mask: partly what was there
  std::size_t masked = 0;           ///< black in the mask: filled
  std::size_t missing = 0;          ///< NaN, infinite, blank: filled
  std::size_t outliers_filled = 0;  ///< outside of the range
  std::size_t outliers_kept = 0;

  ValueCounts& operator+=(const ValueCounts& other);
};
/// Lines on what is out of the ordinary, or nothing.
std::string in_words(const ValueCounts& counts);

struct Restored {
  Image image;             ///< values in [0,1]; depth, colour profile and alpha of the input
  RestoreOptions options;  ///< all that was used, presets included
  /// Of the network itself: inpaint's known pixels are not pasted there. --method patches: nothing.
  FitResult fit;
  std::optional<NoiseModel> noise;    ///< --method auto and patches
  std::vector<Candidate> candidates;  ///< those of --method; dip: none
  ValueCounts values;                 ///< of what came in
  EngineInfo engine;                  ///< that did it
  NetworkOptions network;             ///< that was fitted; prior gan: nothing
  std::vector<Tensor> weights;        ///< after the last iteration, if RestoreContext asks for them
  int tiles = 1;                      ///< that the fit went through, see FitResult::parts
  std::size_t params = 0;             ///< learned numbers of the network
  std::uint64_t macs = 0;             ///< its multiplications, forward, and those of the loss

  // Against the reference, over all channels and pixels; empty without a reference.
  std::optional<double> psnr, ssim;
  /// The same of what came in. inpaint: missing pixels black; upscale: enlarged by bicubic.
  std::optional<double> psnr_input, ssim_input;
};

/// Of what was fitted, for who looks on: "skip", or "GAN generator".
std::string fitted_network(const Restored& restored);

/// What a fit is about, for those who want to show it: the loss compares A f(z) with y.
struct FitScene {
  const Image& input;  ///< what came in, in the size of the result: see Restored::psnr_input
  const Tensor& z;     ///< what the network starts from, [1,c,h,w], without the jitter
  const Operator& A;   ///< the damage
  const Tensor& y;     ///< the observation without what A hides, of A's output shape
};

/// What a restoration may use and report beside its options. All of it is borrowed for the call.
struct RestoreContext {
  /// The clean picture, of the size of the result: adds PSNR and SSIM. It never changes the result.
  const Image* reference = nullptr;
  /// Called once everything that is given was found good and the work begins; options, engine and
  /// params are filled in.
  std::function<void(const Restored&)> on_start = {};
  /// Called after on_start; the scene is valid until restore() returns.
  std::function<void(const FitScene&)> on_scene = {};
  std::function<void(const FitProgress&)> on_iteration = {};
  /// --method auto and patches: the share of a filter's work that is done, before and after the
  /// fit.
  std::function<void(double share)> on_filter = {};
  /// --method auto: the filter's result is there and the fit begins.
  std::function<void(const Candidate&)> on_first_result = {};
  /// Called every `preview_every` iterations, before on_iteration, with the picture as it would be
  /// returned now.
  std::function<void(int iteration, const Image& preview)> on_preview = {};
  int preview_every = 0;  ///< 0: never
  /// Ends the fit after the current iteration with the best so far, which under --method auto is
  /// the filter's result.
  std::stop_token cancel = {};
  /// FitOptions::weights, of the first of several runs. Borrowed; null: random.
  const std::vector<Tensor>* weights = nullptr;
  bool return_weights = false;  ///< Restored::weights, of the last run
  /// At a fit that diverges, each with another seed. Those of tiles have three, whatever this says.
  int attempts = 1;
  /// FitProgress::save of a restoration of the same pictures with the same options: goes on behind
  /// it. Borrowed; empty: begins anew.
  std::string_view resume = {};
};

/// mask: for inpaint only, see known_pixels(). What it discards has no influence on anything. Null:
/// transparent pixels are to be filled. Samples that are missing, outliers or kept (see SampleUse)
/// are not shown to the fit of any task.
/// throws Error{bad_argument} for the options, Error{bad_input} for a mask or reference of another
/// size and for a mask that is all black or all white, and what fit() throws.
Restored restore(Task task, const Image& observed, const Image* mask, const RestoreOptions& options,
                 const RestoreContext& context = {});

/// The picture that restore() would hand out if it had chosen this moment of its fit: known pixels
/// pasted back, values clamped, with the source of the result. `moment`: FitProgress::average, or
/// `restored` without averaging. throws as restore() for the task, pictures and options.
Image finish_moment(Task task, const Image& observed, const Image* mask,
                    const RestoreOptions& options, const Tensor& moment);

/// What a mask says of each pixel, 1 channel: 1 (nearly white) known; 0 (nearly black) to be
/// filled; between how much of the result is what was there, while the fit is not shown it. A
/// mask's own black and white count, and masks stored as 0 and 1 are understood; colour is ignored
/// unless `mask_colour` is given; where a mask is transparent, its alpha counts, too. Then come
/// mask_grow and mask_feather. throws Error{bad_input} if no pixel is known.
Image known_pixels(const Image& mask, const RestoreOptions& options = {});

/// Removes noise. A picture of fewer than 48x48 pixels gets an average_decay of 0.9, unless that or
/// the paper's preset is given: see docs/results.md. Where the fit starts from the filter's result
/// and ends by itself, it takes at most 200 iterations in tiles and in pictures of fewer than
/// 200x200 pixels, unless `iterations` are given.
Restored denoise(const Image& noisy, const RestoreOptions& options = {},
                 const RestoreContext& context = {});
/// Fills the missing pixels. Where they hold a square of 32x32 the network has no skip connections
/// and starts from coordinates, unless network, skip, input or prior are given, or the paper's
/// preset.
Restored inpaint(const Image& holed, const Image& mask, const RestoreOptions& options = {},
                 const RestoreContext& context = {});
/// Enlarges by 2, 3, 4 or 8.
Restored upscale(const Image& small, int factor, const RestoreOptions& options = {},
                 const RestoreContext& context = {});

/// Sharpens a picture whose blur is known: in words, as parse_blur() reads it, or as a picture of
/// the kernel, whose centre is its middle. throws Error{bad_argument} for a method other than dip
/// and for a blur that reaches farther than the picture is large.
Restored deblur(const Image& blurred, const std::string& blur, const RestoreOptions& options = {},
                const RestoreContext& context = {});
Restored deblur(const Image& blurred, const Image& kernel, const RestoreOptions& options = {},
                const RestoreContext& context = {});

/// Enlarges by Keys' bicubic interpolation (a = -0.5, half-pixel centres, edges replicated), values
/// clamped to [0,1]; alpha is enlarged bilinearly. The baseline that upscale has to beat.
Image enlarge_bicubic(const Image& image, int factor);

}  // namespace unmar
