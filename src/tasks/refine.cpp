#include "unmar/tasks/refine.h"

#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "tasks/refine_checks.h"
#include "tasks/stopwatch.h"
#include "tasks/task.h"

namespace unmar {
namespace {

int overlap_of(const DdpmUnetOptions& unet, std::optional<int> given) {
  return given.value_or(unet.sample_size / 4);
}

double eta_of(const RefineOptions& o) {
  constexpr double kDdnmEta = 0.85;
  return o.eta.value_or(o.consistency == Consistency::none ? 0 : kDdnmEta);
}

}  // namespace

void check_refine_options(Task task, const RefineOptions& o, int steps) {
  require_refines(task);
  const auto require = [](bool ok, const char* rule, auto got) {
    if (!ok) fail(ErrorCode::bad_argument, "refine: {}, got {}", rule, got);
  };
  require(o.steps >= 1, "steps must be 1 or more", o.steps);
  if (const auto& factor = o.entry_factor)
    require(*factor > 0 && std::isfinite(*factor), "entry_factor must be above 0", *factor);
  require(o.dps_scale >= 0 && std::isfinite(o.dps_scale), "dps_scale must be 0 or more",
          o.dps_scale);
  if (o.start && (*o.start < 0 || *o.start >= steps))
    fail(ErrorCode::bad_argument, "refine: `start` must be auto or 0 to {} for this model, got {}",
         steps - 1, *o.start);
  if (o.eta && o.sampler != "ddim")
    fail(ErrorCode::bad_argument, "refine: `eta` is an option of `sampler` ddim, not of {}",
         o.sampler);
  if (o.consistency == Consistency::repaint && !task_info(task).needs_mask)
    fail(ErrorCode::bad_argument,
         "refine: `consistency` repaint pastes known pixels, which only inpaint has; take ddnm for "
         "{}",
         to_string(task));
  const bool has_prior = o.from != StartFrom::noise;
  const bool whole_chain = !has_prior || o.prior_weight;
  if (whole_chain && o.start)
    fail(ErrorCode::bad_argument,
         "refine: the chain starts at the noisiest timestep {}; leave `start` out",
         has_prior ? "with `prior_weight`" : "without a prior");
  if (o.prior_weight) {
    require(has_prior, "`prior_weight` needs a prior", "none");
    require(*o.prior_weight >= 0 && *o.prior_weight <= 1, "`prior_weight` must be 0 to 1",
            *o.prior_weight);
  }
}

void check_model(const DdpmUnetOptions& unet, int channels, int height, int width) {
  const auto kind = [](int channels) {
    return channels == 1 ? "gray" : channels == 3 ? "RGB" : "many-channel";
  };
  if (unet.in_channels != unet.out_channels)
    fail(ErrorCode::unsupported,
         "refine: the model makes {} channels of {}; one with learned variances does not serve",
         unet.out_channels, unet.in_channels);
  if (unet.in_channels != channels)
    fail(ErrorCode::bad_input,
         "refine: the model is for {} pictures but the given one is {}; take a model, or make a "
         "picture, of the same kind",
         kind(unet.in_channels), kind(channels));
  if (unet.sample_size < 1)
    fail(ErrorCode::bad_input, "refine: the model's config.json does not say its sample_size");
  if (width < unet.sample_size || height < unet.sample_size)
    fail(ErrorCode::bad_input,
         "refine: the model takes pictures of {0}x{0} px or more but the result is {1}x{2}; take a "
         "model of smaller pictures",
         unet.sample_size, width, height);
}

RestoreOptions fit_alone(Task task, const RestoreOptions& given) {
  RestoreOptions options = given;
  if (task_spec(task).method && !options.method) options.method = Method::dip;
  return options;
}

RefineOptions resolve_refine(Task task, const RefineOptions& given, const RestoreOptions& restore) {
  const bool only_noise = task_spec(task).only_noise;
  RefineOptions options = given;
  options.restore = restore;
  if (!given.consistency) options.consistency = only_noise ? Consistency::none : Consistency::ddnm;
  if (!given.entry_factor) options.entry_factor = only_noise ? 1 : 2;
  options.eta = eta_of(options);
  return options;
}

void check_error_known(Task task, const RefineOptions& o, bool has_fit) {
  const bool looks_at_fit = task_info(task).needs_mask;  // at what was hidden from it
  if (has_fit || !looks_at_fit || o.from == StartFrom::noise || o.start || o.prior_weight) return;
  fail(ErrorCode::bad_argument,
       "refine: the error of a prior that was not fitted here is not known; give `start` T0");
}

/// Noise that must be told apart from the picture has to be known.
void check_noise_known(Task task, const RefineOptions& o) {
  if (!task_spec(task).only_noise) return;
  const bool tied = o.consistency != Consistency::none;
  const bool to_be_drowned = o.from == StartFrom::input && !o.start;
  if (o.from != StartFrom::prior && (tied || to_be_drowned) && !o.restore.sigma)
    fail(ErrorCode::bad_argument,
         "refine: without a fit the noise cannot be estimated; give `sigma`");
  const bool fresh = o.sampler.starts_with("ddpm") || (o.sampler == "ddim" && *o.eta > 0);
  if (o.consistency == Consistency::ddnm && !fresh)
    fail(ErrorCode::bad_argument,
         "refine: `consistency` ddnm hides the noise of the picture in the sampler's own, of "
         "which {} has none; take ddpm, or ddim with an `eta` above 0",
         o.sampler == "ddim" ? "ddim with `eta` 0" : o.sampler);
}

namespace {

/// Of a picture in the size of the result, in the model's units.
Tensor to_model(const Image& image) {
  Tensor x = to_tensor(image);
  for (float& v : x.values()) v = 2 * v - 1;
  return x;
}

/// One run of refine().
class Refinement {
 public:
  Refinement(Task task, const Image& degraded, const Image* mask, DiffusersModel model,
             const RefineOptions& options, const RefineContext& context)
      : task_(task),
        only_noise_(task_spec(task).only_noise),
        degraded_(degraded),
        mask_(mask),
        given_(fit_alone(task, options.restore)),
        model_(std::move(model)),
        context_(context),
        schedule_(model_.scheduler.schedule) {
    check_refine_options(task, options, schedule_.steps());
    check_error_known(task, options, !context.prior && options.from == StartFrom::prior);
    result_.options = resolve_refine(task, options, resolve_for(task, degraded, mask, given_));
    sampler_ = make_sampler(options.sampler, *result_.options.eta);
    plan_ = make_plan(task, degraded, mask, result_.options.restore);
    result_.values = plan_.counts;
    check_model(model_.unet, degraded.channels(), plan_.input.height(), plan_.input.width());
    if (context.prior && !context.prior->same_size(plan_.input))
      fail(ErrorCode::bad_input,
           "refine: the prior is {}x{} px with {} channels but the result will be {}x{} px with {}",
           context.prior->width(), context.prior->height(), context.prior->channels(),
           plan_.input.width(), plan_.input.height(), plan_.input.channels());
    if (reference()) check_reference(task, degraded, plan_, *reference());
    check_noise_known(task, result_.options);
  }

  Refined run() {
    if (has_prior()) find_prior();
    if (cancelled()) {
      result_.cancelled = true;
      result_.image = result_.prior.empty() ? plan_.input : result_.prior;
      measure();
      return std::move(result_);
    }
    find_start();
    compile();
    run_chain();
    measure();
    return std::move(result_);
  }

 private:
  const RefineOptions& options() const { return result_.options; }
  const RestoreOptions& restoring() const { return result_.options.restore; }
  bool has_prior() const { return options().from != StartFrom::noise; }
  const Image* reference() const { return context_.restore.reference; }
  bool cancelled() const { return context_.restore.cancel.stop_requested(); }

  void find_prior() {
    if (context_.prior || options().from == StartFrom::input) {
      result_.prior = context_.prior ? clamped(*context_.prior) : plan_.input;
      if (!options().prior_weight && (!options().start || only_noise_))
        result_.error = estimate_error(task_, plan_, restoring(), result_.prior, nullptr);
      return;
    }
    const Stopwatch watch;
    Prior prior = generate_prior(task_, degraded_, mask_, given_, context_.restore);
    result_.fit_time = watch.read();
    result_.prior = prior.restored.image;
    result_.error = prior.error;
    result_.fit = std::move(prior.restored);
  }

  /// The degraded picture has all of the noise where a fit is thought to have half.
  double entry_error() const {
    const bool noisy = only_noise_ && options().from == StartFrom::input;
    return noisy ? result_.error->noise : result_.error->rmse;
  }

  void find_start() {
    const int last = schedule_.steps() - 1;
    if (!has_prior() || options().prior_weight)
      result_.start = last;
    else
      result_.start = options().start
                          ? *options().start
                          : entry_timestep(schedule_, 2 * entry_error(), *options().entry_factor);
    const int count = std::min(options().steps, result_.start + 1);
    list_ = spaced_timesteps(result_.start + 1, count, Spacing::trailing);
    result_.timesteps = count;
  }

  void compile() {
    const Stopwatch watch;
    const int size = model_.unet.sample_size;
    UnetModel* network = context_.network;
    if (!network)
      network = &own_network_.emplace(model_.unet, std::move(model_.weights),
                                      chain_network(model_.unet, restoring()));
    predict_ = [this, network](const Tensor& x, int t) {
      ++result_.evaluations;
      return network->predict(x, t, context_.restore.cancel);
    };
    gradient_ = [this, network](const Tensor& x, int t, const Tensor& u) {
      ++result_.gradients;
      return network->gradient(x, t, u);
    };
    result_.windows = window_count(model_.unet, to_tensor(plan_.input).shape(), options().overlap);
    if (plan_.input.width() > size || plan_.input.height() > size) {
      const int overlap = overlap_of(model_.unet, options().overlap);
      predict_ = tiled(predict_, size, overlap);
      gradient_ = tiled_gradient(gradient_, size, overlap);
    }
    result_.model_time = watch.read();
  }

  std::unique_ptr<Guide> make_guide(const Shape& x) const {
    switch (*options().consistency) {
      case Consistency::none:
        return nullptr;
      case Consistency::ddnm:
        return make_ddnm(*plan_.A, observation_for_model(*plan_.A, x, plan_.y), 2 * noise());
      case Consistency::dps:
        return make_dps(*plan_.A, observation_for_model(*plan_.A, x, plan_.y), gradient_,
                        options().dps_scale);
      case Consistency::repaint: {
        Tensor known = plan_.y;
        for (float& v : known.values()) v = 2 * v - 1;
        return make_repaint(std::move(known), plan_.A->known_part(Tensor(x, 1.f)));
      }
    }
    return nullptr;
  }

  double noise() const {
    if (result_.error) return result_.error->noise;
    return only_noise_ ? restoring().sigma.value_or(0) / 255 : 0;
  }

  GaussianSource gaussian(const char* name, const Shape& x) const {
    const auto seed = static_cast<std::uint64_t>(restoring().seed.value());
    if (!context_.place) return gaussian_source(seed, name);
    return gaussian_source_at(seed, name, x, context_.place->first, context_.place->second);
  }

  /// x at the first timestep.
  Tensor first() const {
    Tensor noise(to_tensor(plan_.input).shape());
    gaussian("refine", noise.shape())(noise.values());
    if (!has_prior()) return noise;
    const Tensor prior = to_model(result_.prior);
    if (!options().prior_weight) return add_noise(schedule_, prior, noise, result_.start);
    const double w = *options().prior_weight;
    for (std::size_t i = 0; i < noise.count(); ++i)
      noise.data()[i] = static_cast<float>(w * static_cast<double>(prior.data()[i]) +
                                           (1 - w) * static_cast<double>(noise.data()[i]));
    return noise;
  }

  void run_chain() {
    if (context_.on_chain) context_.on_chain(result_);
    const Stopwatch watch;
    Tensor x = first();
    const auto guide = make_guide(x.shape());
    SampleOptions how;
    how.timesteps = list_;
    how.prediction = model_.scheduler.prediction;
    how.clip = model_.scheduler.clip_sample;
    how.end_without_noise = model_.scheduler.set_alpha_to_one;
    how.gaussian = gaussian("sample", x.shape());
    x = sample(predict_, schedule_, *sampler_, std::move(x), how, guide.get(), context_.on_step,
               context_.restore.cancel);
    const bool begun = result_.evaluations > 0;
    result_.cancelled = result_.evaluations < result_.timesteps * result_.windows;
    for (float& v : x.values()) v = (v + 1) / 2;
    result_.image = begun || result_.prior.empty() ? finish(plan_, x) : result_.prior;
    result_.chain_time = watch.read();
  }

  void measure() {
    if (!reference()) return;
    const Image& clean = *reference();
    result_.psnr = psnr(result_.image, clean);
    result_.ssim = ssim(result_.image, clean);
    result_.psnr_input = psnr(plan_.input, clean);
    result_.ssim_input = ssim(plan_.input, clean);
    if (result_.prior.empty()) return;
    result_.psnr_prior = psnr(result_.prior, clean);
    result_.ssim_prior = ssim(result_.prior, clean);
  }

  Task task_;
  const bool only_noise_;  ///< of the damage, see TaskSpec
  const Image& degraded_;
  const Image* mask_;
  const RestoreOptions given_;  ///< without the presets, which generate_prior() may override
  DiffusersModel model_;
  const RefineContext& context_;
  NoiseSchedule schedule_;
  Plan plan_;
  std::unique_ptr<Sampler> sampler_;
  std::vector<int> list_;  ///< of timesteps
  std::optional<UnetModel> own_network_;
  NoisePredictor predict_;
  ModelGradient gradient_;
  Refined result_;
};

}  // namespace

UnetModelOptions chain_network(const DdpmUnetOptions& unet, const RestoreOptions& options) {
  const int side = std::max(1, unet.sample_size);
  return {.sample = {1, unet.in_channels, side, side},
          .engine = options.engine.value(),
          .threads = options.threads.value(),
          .precision = options.precision.value_or(Precision::tf32)};
}

ChainMemory memory_of_chain(const DdpmUnetOptions& unet, const RefineOptions& options,
                            const Shape& result) {
  ChainMemory memory;
  for (const TensorSpec& spec : unet_tensors(unet)) {
    std::size_t count = 1;
    for (const std::int64_t side : spec.shape) count *= static_cast<std::size_t>(side);
    memory.weights += sizeof(float) * count;
  }
  const bool has_gradient = options.consistency == Consistency::dps;
  memory.network = cost_of(unet, chain_network(unet, options.restore), has_gradient).memory;
  constexpr std::size_t kPictures = 12;  // sample()'s, the sums of windows, observation and prior
  memory.pictures = kPictures * sizeof(float) * result.count();
  return memory;
}

int window_count(const DdpmUnetOptions& unet, const Shape& picture, std::optional<int> overlap) {
  const int size = unet.sample_size;
  if (picture.w <= size && picture.h <= size) return 1;
  return tile_count(picture, size, overlap_of(unet, overlap));
}

Refined refine(Task task, const Image& degraded, const Image* mask, DiffusersModel model,
               const RefineOptions& options, const RefineContext& context) {
  return Refinement(task, degraded, mask, std::move(model), options, context).run();
}

}  // namespace unmar
