#include "unmar/tasks/compare_priors.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "tasks/stopwatch.h"
#include "tasks/task.h"
#include "unmar/diffusion/unet_model.h"
#include "unmar/observe/damage.h"
#include "unmar/operators/operators.h"
#include "unmar/tasks/refine.h"

namespace unmar {
namespace {

constexpr int kFewestSteps = 10;
constexpr double kThereAndBack = 3;  // passes of a step: one there, two to both sides back

/// A size whose sides divide by `factor`, around the centre.
Image divisible(const Image& image, int factor) {
  const int height = image.height() / factor * factor, width = image.width() / factor * factor;
  if (height == 0 || width == 0) return image;  // which simulate() refuses
  return crop(image, (image.height() - height) / 2, (image.width() - width) / 2, height, width);
}

/// The size of the gradient in each pixel, all channels together.
std::vector<float> steepness(const Image& image) {
  const int height = image.height(), width = image.width();
  std::vector<float> sum(image.plane(0).size());
  for (int c = 0; c < image.channels(); ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const float here = image.at(c, y, x);
        const float right = image.at(c, y, std::min(x + 1, width - 1)) - here;
        const float below = image.at(c, std::min(y + 1, height - 1), x) - here;
        sum[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
            static_cast<std::size_t>(x)] += right * right + below * below;
      }
  return sum;
}

double edge_share(const Image& clean, const Image& result) {
  constexpr double kSteepest = 0.1;
  const std::vector<float> slope = steepness(clean);
  std::vector<float> sorted = slope;
  const auto rank =
      static_cast<std::ptrdiff_t>((1 - kSteepest) * static_cast<double>(slope.size()));
  std::nth_element(sorted.begin(), sorted.begin() + rank, sorted.end());
  const float limit = sorted[static_cast<std::size_t>(rank)];
  double edges = 0, all = 0;
  for (int c = 0; c < clean.channels(); ++c)
    for (std::size_t i = 0; i < slope.size(); ++i) {
      const double d =
          static_cast<double>(result.plane(c)[i]) - static_cast<double>(clean.plane(c)[i]);
      all += d * d;
      if (slope[i] > limit) edges += d * d;
    }
  return all > 0 ? edges / all : 0;
}

double detail_of(const Image& image) {
  double sum = 0;
  for (int c = 0; c < image.channels(); ++c)
    for (int y = 1; y + 1 < image.height(); ++y)
      for (int x = 1; x + 1 < image.width(); ++x)
        sum += std::abs(4.0 * image.at(c, y, x) - image.at(c, y - 1, x) - image.at(c, y + 1, x) -
                        image.at(c, y, x - 1) - image.at(c, y, x + 1));
  return sum;
}

class PriorComparison {
 public:
  PriorComparison(DamagedPicture picture, const RestoreOptions& options,
                  const LearnedPriors& learned, const ComparePriorsContext& context)
      : options_(options), learned_(learned), context_(context) {
    all_.picture = std::move(picture);
    const RestoreOptions& known = all_.picture.known;
    options_.sigma = known.sigma;
    options_.factor = known.factor;
    options_.blur = known.blur;
    if (task_spec(task()).method) options_.method = Method::dip;
  }

  PriorsComparison run() {
    measure("DIP", "nothing but this picture", [&](PriorResult& r) { return dip(r); });
    if (learned_.gan) measure("GAN", learned_.gan_name, [&](PriorResult& r) { return gan(r); });
    if (!learned_.ddpm) return std::move(all_);
    measure("DDPM", learned_.ddpm_name, [&](PriorResult& r) { return ddpm(r, false); });
    measure("DIP→DDPM", learned_.ddpm_name, [&](PriorResult& r) { return ddpm(r, true); });
    return std::move(all_);
  }

 private:
  Task task() const { return all_.picture.task; }
  const Image* mask() const { return all_.picture.mask.empty() ? nullptr : &all_.picture.mask; }

  template <class Restore>
  void measure(const char* name, const std::string& needs, Restore restore) {
    if (all_.cancelled || context_.cancel.stop_requested()) {
      all_.cancelled = true;
      return;
    }
    PriorResult result;
    result.name = name;
    result.needs = needs;
    const Stopwatch watch;
    try {
      result.image = restore(result);
    } catch (const Error& error) {
      result.why_not = error.what();
      if (error.code() == ErrorCode::cancelled) all_.cancelled = true;
    }
    if (context_.cancel.stop_requested()) all_.cancelled = true;
    if (all_.cancelled) return;  // a picture that was cut short proves nothing
    const Spent spent = watch.read();
    result.seconds = spent.seconds;
    result.cpu_seconds = spent.cpu_seconds;
    if (!result.image.empty()) {
      const Image& clean = all_.picture.clean;
      result.psnr = psnr(result.image, clean);
      result.ssim = ssim(result.image, clean);
      result.edge_share = edge_share(clean, result.image);
      const double detail = detail_of(clean);
      result.detail = detail > 0 ? detail_of(result.image) / detail : 1;
    }
    all_.results.push_back(std::move(result));
    if (context_.on_result) context_.on_result(all_.results.back());
  }

  RestoreContext restore_context(const std::string& name) {
    RestoreContext context;
    context.cancel = context_.cancel;
    if (context_.on_progress)
      context.on_iteration = [this, name](const FitProgress& progress) {
        context_.on_progress(name,
                             static_cast<double>(progress.row.iteration + 1) / progress.iterations);
      };
    return context;
  }

  Image dip(PriorResult& result) {
    RestoreContext context = restore_context(result.name);
    context.reference = &all_.picture.clean;
    Restored restored = restore(task(), all_.picture.damaged, mask(), options_, context);
    fit_iterations_ = result.iterations = restored.fit.iterations;
    fit_macs_ = static_cast<double>(restored.macs);
    result.macs = kThereAndBack * fit_macs_ * result.iterations;
    all_.psnr_input = restored.psnr_input.value_or(0);
    all_.ssim_input = restored.ssim_input.value_or(0);
    return std::move(restored.image);
  }

  double budget() const { return kThereAndBack * fit_macs_ * fit_iterations_; }

  Image gan(PriorResult& result) {
    constexpr int kStarts = 4;
    Graph graph;
    const NodeId z = graph.add(Input{{1, learned_.gan->gan.latent, 1, 1}}, {}, "z");
    write_trained_generator(graph, z, *learned_.gan);
    const double pass = kThereAndBack * static_cast<double>(count_macs(graph));
    const auto share = [&](double part, double least, double most) {
      return static_cast<int>(std::clamp(part * budget() / pass, least, most));
    };
    RestoreOptions how = all_.picture.known;
    how.prior = FitPrior::gan;
    how.gan = learned_.gan;
    how.starts = kStarts;
    how.iterations = share(0.9 / kStarts, 50, 1000);
    how.weight_iterations = share(0.1, 10, 200);
    how.seed = options_.seed;
    how.threads = options_.threads;
    how.engine = options_.engine;
    how.max_memory = options_.max_memory;
    Restored found =
        restore(task(), all_.picture.damaged, mask(), how, restore_context(result.name));
    result.iterations = found.fit.iterations;
    result.macs = kThereAndBack * static_cast<double>(found.macs) * found.fit.iterations;
    return std::move(found.image);
  }

  /// The model alone begins with noise, or with the noisy picture itself; after a fit with its
  /// result, and both have half of the budget.
  Image ddpm(PriorResult& result, bool after_fit) {
    RefineOptions how;
    how.restore = options_;
    how.from = after_fit                      ? StartFrom::prior
               : task_spec(task()).only_noise ? StartFrom::input
                                              : StartFrom::noise;
    const double share = after_fit ? 0.5 : 1;
    if (after_fit) how.restore.iterations = std::max(1, fit_iterations_ / 2);
    const Image& shown = all_.picture.clean;
    const int size = learned_.ddpm->unet.sample_size;
    const UnetModelOptions model{.sample = {1, shown.channels(), size, size}};
    const double pass =
        static_cast<double>(cost_of(learned_.ddpm->unet, model).macs) *
        window_count(learned_.ddpm->unet, {1, shown.channels(), shown.height(), shown.width()},
                     how.overlap);
    how.steps = static_cast<int>(std::clamp(share * budget() / pass, double{kFewestSteps},
                                            static_cast<double>(steps_of_model())));
    RefineContext context;
    context.restore = restore_context(result.name + ", fit");
    if (context_.on_progress)
      context.on_step = [&, part = result.name + ", chain"](const SampleProgress& progress) {
        context_.on_progress(part, static_cast<double>(progress.done) / progress.steps);
      };
    Refined refined = refine(task(), all_.picture.damaged, mask(), *learned_.ddpm, how, context);
    result.evaluations = refined.evaluations;
    result.macs = pass / std::max(1, refined.windows) * refined.evaluations;
    if (refined.fit) {
      result.iterations = refined.fit->fit.iterations;
      result.macs += kThereAndBack * fit_macs_ * result.iterations;
    }
    return std::move(refined.image);
  }

  int steps_of_model() const { return learned_.ddpm->scheduler.schedule.steps; }

  RestoreOptions options_;
  const LearnedPriors& learned_;
  const ComparePriorsContext& context_;
  int fit_iterations_ = 0;
  double fit_macs_ = 0;  ///< of one pass there
  PriorsComparison all_;
};

}  // namespace

DamagedPicture damage_picture(const Image& clean, const std::string& damage, std::uint64_t seed) {
  const std::size_t colon = damage.find(':');
  const std::string name = damage.substr(0, colon);
  if (colon == std::string::npos ||
      (name != "noise" && name != "missing" && name != "shrink" && name != "blur"))
    fail(ErrorCode::bad_argument,
         "`damage`: '{}' is none that can be compared; give noise:SIGMA, missing:FRACTION, "
         "shrink:FACTOR or blur:KERNEL, such as noise:25",
         damage);
  DamageOptions options;
  const auto& row = find_option(damage_options(), name, "`damage`");
  row.put(options, parse_value(row, damage.substr(colon + 1), "`damage`"));
  options.seed = seed;
  DamagedPicture picture;
  picture.clean = divisible(clean, options.shrink.value_or(1));
  picture.clean.source.alpha.clear();
  SimulateOptions simulated = simulate_options(options);
  if (options.blur) simulated.blur = parse_blur(*options.blur);
  Simulated result = simulate(picture.clean, simulated);
  picture.damaged = std::move(result.image);
  picture.mask = std::move(result.mask);
  picture.known.sigma = options.noise;
  picture.known.factor = options.shrink;
  picture.known.blur = options.blur;
  picture.task = options.missing  ? Task::inpaint
                 : options.shrink ? Task::upscale
                 : options.blur   ? Task::deblur
                                  : Task::denoise;
  return picture;
}

PriorsComparison compare_priors(DamagedPicture picture, const RestoreOptions& options,
                                const LearnedPriors& learned, const ComparePriorsContext& context) {
  return PriorComparison(std::move(picture), options, learned, context).run();
}

}  // namespace unmar
