#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/observe/observe.h"

/// Denoising diffusion: Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS
/// 2020. Pictures are tensors [n,c,h,w] with nominal values in [-1,1].
///
/// A schedule says how noisy x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) eps is, eps ~ N(0, 1); a
/// model guesses eps; a sampler takes x_t to a less noisy one; a guide ties it to an observation.
namespace unmar {

enum class BetaSchedule {
  linear,         ///< beta from beta_start to beta_end
  scaled_linear,  ///< sqrt(beta) from sqrt(beta_start) to sqrt(beta_end)
  cosine,  ///< Nichol and Dhariwal 2021, s = 0.008, beta at most 0.999; ignores start and end
};

struct ScheduleOptions {
  BetaSchedule kind = BetaSchedule::linear;
  int steps = 1000;  ///< T
  double beta_start = 1e-4, beta_end = 0.02;
};

/// beta_t and abar_t = product of (1 - beta) up to t, for t from 0 (least noise) to T - 1.
class NoiseSchedule {
 public:
  /// throws Error{bad_argument} unless 1 <= steps <= 1000000 and 0 < beta < 1.
  explicit NoiseSchedule(const ScheduleOptions& options = {});

  int steps() const { return static_cast<int>(beta_.size()); }
  double beta(int t) const { return beta_[static_cast<std::size_t>(t)]; }
  double alpha_bar(int t) const { return t < 0 ? 1. : alpha_bar_[static_cast<std::size_t>(t)]; }
  /// Standard deviation of the noise of x_t / sqrt(abar_t): what the eye sees, in [-1,1] units.
  double sigma(int t) const;

 private:
  std::vector<double> beta_, alpha_bar_;
};

/// The first t whose sigma is at least factor * rmse: where a picture with this error can enter the
/// reverse chain, its error drowned in noise. rmse in [-1,1] units: 2 * 10^(-PSNR / 20).
/// Factors of 2 to 4 hide the artefacts of a prior. T - 1 if no t has as much noise.
int entry_timestep(const NoiseSchedule& schedule, double rmse, double factor);

enum class Spacing { leading, trailing, linspace };
/// `count` of the timesteps 0 .. steps-1, noisiest first. To enter at t0 give steps = t0 + 1 and
/// trailing, which begins with the last timestep; linspace holds both ends, leading holds 0.
/// leading: i * (steps / count) + offset; trailing: round(steps - i * steps / count) - 1;
/// linspace: evenly from 0 to steps - 1, rounded; halves go to the even one.
/// throws Error{bad_argument} unless 1 <= count <= steps and all lie in range.
std::vector<int> spaced_timesteps(int steps, int count, Spacing spacing, int offset = 0);

/// x_t of x0 and noise of the same shape.
Tensor add_noise(const NoiseSchedule& schedule, const Tensor& x0, const Tensor& noise, int t);

/// What a network was trained to give.
enum class Prediction {
  epsilon,
  sample,  ///< x0
  v,       ///< sqrt(abar) eps - sqrt(1 - abar) x0; Salimans and Ho 2022
};
/// a * x_t + b * output.
struct Mix {
  double x = 0, output = 0;
};
Mix mix_for_x0(Prediction prediction, double alpha_bar);
Mix mix_for_epsilon(Prediction prediction, double alpha_bar);

/// output = model(x_t, t), of the shape of x_t.
using NoisePredictor = std::function<Tensor(const Tensor& x, int t)>;
/// Fills with N(0, 1); draws go on from call to call.
using GaussianSource = std::function<void(std::span<float>)>;
/// Draw i is the stream (seed, "<name>.<i>") of Random.
GaussianSource gaussian_source(std::uint64_t seed, std::string_view name);
/// For a part [1,c,h,w] that lies at row y, column x of a larger picture: where two parts of one
/// picture overlap, both get the same. Draw i has a stream (seed, "<name>.<i>.<row>.<column>") for
/// each block of 64x64 px of that picture.
GaussianSource gaussian_source_at(std::uint64_t seed, std::string_view name, const Shape& part,
                                  int y, int x);

/// From x_t to the next entry of the list of timesteps, which need not be t - 1.
struct Step {
  int t = 0;
  double alpha_bar = 0;  ///< of x_t
  double alpha_bar_next = 1;
  bool last = false;
};
/// x_next = x0 * x0_estimate + x * x_t + epsilon * eps_estimate + last_x0 * (the x0 estimate of the
/// step before) + noise * N(0, 1).
struct StepWeights {
  double x0 = 0, x = 0, epsilon = 0, last_x0 = 0, noise = 0;
};

/// Every sampler here is a rule for five weights, worked out from the alpha_bars of the list of
/// timesteps, so that any subset of them is stepped correctly. Immutable.
class Sampler {
 public:
  virtual ~Sampler() = default;
  virtual std::string name() const = 0;
  /// `before`: the step whose x0 estimate is at hand; none at the start.
  virtual StepWeights weights(const Step& step, const Step* before) const = 0;
};

/// fixed_small: the posterior's variance, at least 1e-20. fixed_large: 1 - abar_t / abar_next
/// (= beta_t), fit for all T steps only: with few it leaves noise behind.
enum class DdpmVariance { fixed_small, fixed_large };
std::unique_ptr<Sampler> make_ddpm(DdpmVariance variance = DdpmVariance::fixed_small);
/// Song, Meng and Ermon, ICLR 2021. eta 0: no fresh noise; 1: as much as DDPM.
/// throws Error{bad_argument} unless 0 <= eta <= 1.
std::unique_ptr<Sampler> make_ddim(double eta = 0);
/// DPM-Solver++ 2M, midpoint: Lu et al. 2022. Second order with one model call a step; the first
/// step and one that ends without noise are of first order.
std::unique_ptr<Sampler> make_dpm_solver();
/// "ddpm", "ddpm-large", "ddim", "dpm++" or "dpm-solver++". throws Error{bad_argument} naming the
/// nearest one.
std::unique_ptr<Sampler> make_sampler(std::string_view name, double eta = 0);

/// What a guide may look at.
struct GuideState {
  const Step& step;
  const StepWeights& weights;
  Prediction prediction;
  const Tensor& x;       ///< x_t
  const Tensor& output;  ///< the model's
};

/// Ties a sample to an observation. One object serves one run.
class Guide {
 public:
  virtual ~Guide() = default;
  /// Changes the x0 estimate before the sampler uses it. Returns the variance that this adds to
  /// x_next; as much is taken from the sampler's fresh noise.
  virtual double correct_x0(const GuideState& state, Tensor& x0);
  /// Changes x_next. `x0` is the estimate that was used.
  virtual void correct_next(const GuideState& state, const Tensor& x0, Tensor& next,
                            const GaussianSource& gaussian);
};

/// y of [0,1] pictures -> of [-1,1] pictures: 2 y - A 1. y without the pixels that A hides.
Tensor observation_for_model(const Operator& A, const Shape& x_shape, const Tensor& y);

/// DDNM: Wang, Yu and Zhang, "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space
/// Model", ICLR 2023. x0 += lambda A^+ (y - A x0). sigma_y: noise of y in [-1,1] units; above 0
/// lambda falls once x_t is cleaner than y (DDNM+), which needs a sampler with fresh noise.
/// `A` must outlive the guide; y as observation_for_model() gives it.
std::unique_ptr<Guide> make_ddnm(const Operator& A, Tensor y, double sigma_y = 0);
/// RePaint: Lugmayr et al., CVPR 2022. Known pixels of `known` [n,c,h,w] are pasted, as noisy as
/// they should be, into each x_next. mask [1,1 or c,h,w]: 1 known, 0 missing.
/// throws Error{bad_argument} if the mask does not fit or a value is outside of [0,1].
std::unique_ptr<Guide> make_repaint(Tensor known, Tensor mask);
/// J^T u, where J is the derivative of the model's output with respect to x at (x, t).
using ModelGradient = std::function<Tensor(const Tensor& x, int t, const Tensor& u)>;
/// DPS: Chung et al., "Diffusion Posterior Sampling", ICLR 2023. x_next -= scale * gradient over
/// x_t of |y - A x0(x_t)|, through the model and through clipping.
std::unique_ptr<Guide> make_dps(const Operator& A, Tensor y, ModelGradient gradient,
                                double scale = 1);

struct SampleProgress {
  int done, steps;   ///< model calls, those of time travel included
  int t;             ///< of the call just made
  const Tensor& x0;  ///< the estimate
};
struct SampleOptions {
  std::vector<int> timesteps = {};  ///< falling; the start is x at the first
  Prediction prediction = Prediction::epsilon;
  bool clip = true;  ///< x0 estimates to [-1,1]
  /// What lies behind the last timestep: a picture without noise, or (false) one as noisy as t = 0.
  bool end_without_noise = true;
  /// Time travel (RePaint's and DDNM's): after every `travel_length` steps go back as many, by
  /// adding noise, and do them again, until they were done `travel_repeats` times.
  int travel_length = 1, travel_repeats = 1;
  std::uint64_t seed = 0;
  GaussianSource gaussian = {};  ///< instead of `seed`
};

/// Runs the reverse chain from x at timesteps.front(): N(0, 1) for t = T - 1, or add_noise() of a
/// picture (Meng et al., "SDEdit", 2021; Chung et al., "Come-Closer-Diffuse-Faster", CVPR 2022).
/// Same seed and model: same result, bit for bit. Memory: five pictures.
/// Cancelled (checked before each model call): the x0 estimate so far, or `x` before the first.
/// throws Error{bad_argument} for options that do not fit or an output of another shape,
/// Error{numeric} if an output is not finite.
Tensor sample(const NoisePredictor& model, const NoiseSchedule& schedule, const Sampler& sampler,
              Tensor x, const SampleOptions& options, Guide* guide = nullptr,
              const std::function<void(const SampleProgress&)>& on_step = {},
              std::stop_token cancel = {});

/// A model of size x size as one for every larger picture: windows that overlap by `overlap` px at
/// least, their outputs blended with weights that fall linearly to a window's edge. After Bar-Tal
/// et al., "MultiDiffusion", ICML 2023. `model` gets one window at a time, [n,c,size,size].
/// throws Error{bad_argument} unless 0 <= overlap < size; what it returns does so for a smaller
/// picture.
NoisePredictor tiled(NoisePredictor model, int size, int overlap);
/// The gradient of such a model from that of one window, for make_dps(). throws as tiled().
ModelGradient tiled_gradient(ModelGradient gradient, int size, int overlap);
/// How many windows, and so network evaluations, one call takes. throws as tiled().
int tile_count(const Shape& picture, int size, int overlap);

}  // namespace unmar
