#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "unmar/diffusion/weights.h"
#include "unmar/gan/model.h"
#include "unmar/tasks/tasks.h"

/// Priors side by side on one picture whose truth is known: an untrained network fitted to the
/// damaged picture (DIP), a GAN, a diffusion model (DDPM), and the model that starts from the fit.
namespace unmar {

/// A clean picture and what became of it.
struct DamagedPicture {
  Task task = Task::denoise;   ///< that undoes the damage
  RestoreOptions known = {};   ///< what its user would know: sigma, factor, blur
  Image clean, damaged, mask;  ///< clean: cut to what the damage leaves; mask: may be empty
};
/// damage: noise:SIGMA (0-255 scale), missing:FRACTION, shrink:FACTOR or blur:KERNEL, with values
/// as damage_options() has them. Same seed, same damage. throws Error{bad_argument} for others.
DamagedPicture damage_picture(const Image& clean, const std::string& damage, std::uint64_t seed);

/// What one prior made of the damaged picture.
struct PriorResult {
  std::string name;   ///< "DIP", "GAN", "DDPM", "DIP→DDPM"
  std::string needs;  ///< what it learnt from
  Image image;        ///< empty: see `why_not`
  std::string why_not;
  int iterations = 0;   ///< of the fit, or of the search for z and weights of a GAN
  int evaluations = 0;  ///< of the model, forward
  double macs = 0;      ///< multiplications of both
  double seconds = 0, cpu_seconds = 0;
  double psnr = 0, ssim = 0;
  /// Which share of the squared error lies where the clean picture has its steepest tenth.
  double edge_share = 0;
  /// Fine detail of the result over that of the truth (mean size of the Laplacian): below 1 it is
  /// too smooth, above 1 there is detail that nobody saw.
  double detail = 0;
};

struct PriorsComparison {
  DamagedPicture picture;
  Image input;  ///< damaged, of the size of the result
  double psnr_input = 0, ssim_input = 0;
  std::vector<PriorResult> results;
  bool cancelled = false;  ///< what was not begun is missing
};

/// Models that learnt from many pictures; null: without. names: what from, in words.
struct LearnedPriors {
  std::shared_ptr<const GanModel> gan = nullptr;
  const DiffusersModel* ddpm = nullptr;
  std::string gan_name = {}, ddpm_name = {};
};

/// All of it is borrowed for the call.
struct ComparePriorsContext {
  /// part: of the work, in words: "DIP", "DDPM, chain".
  std::function<void(const std::string& part, double share)> on_progress = {};
  std::function<void(const PriorResult&)> on_result = {};
  std::stop_token cancel = {};
};

/// Restores the picture by each prior, at the same budget: DIP runs until it stops itself, and the
/// others get as many multiplications of their networks, a way back counted twice. A chain has at
/// least 10 and at most as many steps as the model; DIP→DDPM halves both. The search in a GAN
/// (FitPrior::gan) has four starts of 50 to 1000 iterations, then 10 to 200 for its weights.
/// options: for the fit; `seed`, `threads` and `engine` serve the others, too. A prior that cannot
/// do it, say for a picture of other channels, says why.
/// throws what restore() throws.
PriorsComparison compare_priors(DamagedPicture picture, const RestoreOptions& options,
                                const LearnedPriors& learned,
                                const ComparePriorsContext& context = {});

}  // namespace unmar
