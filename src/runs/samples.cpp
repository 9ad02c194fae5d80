#include "unmar/runs/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/fail.h"
#include "base/limits.h"
#include "unmar/base/process.h"
#include "unmar/base/random.h"
#include "unmar/diffusion/unet_model.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace {

constexpr int kLargestBatch = 16;
constexpr float kGray = 0.5f;  ///< what is not begun yet

int size_of(const DiffusersModel& model, int asked) {
  const int size = asked > 0 ? asked : model.unet.sample_size;
  if (size < 1)
    throw Error(ErrorCode::bad_argument, "`size`: the model does not say its size; give it");
  const int step = 1 << (model.unet.block_out_channels.size() - 1);
  if (size % step != 0)
    throw Error(ErrorCode::bad_argument,
                fmt::format("`size`: must be a multiple of {} for this model, got {}; it was "
                            "trained for {}",
                            step, size, model.unet.sample_size));
  return size;
}

/// Draws for each picture of a batch by its own number, so that it does not depend on the others.
GaussianSource noise_of(std::uint64_t seed, int first, int count) {
  return [seed, first, count, draw = 0](std::span<float> dst) mutable {
    const std::size_t size = dst.size() / static_cast<std::size_t>(count);
    for (int i = 0; i < count; ++i)
      Random(seed, fmt::format("sample.{}.{}", first + i, draw))
          .normal(dst.subspan(static_cast<std::size_t>(i) * size, size));
    ++draw;
  };
}

std::unique_ptr<Sampler> sampler_of(const DiffusersModel& model, const SamplesRequest& r) {
  // Large variance is right for all steps only.
  if (r.sampler == "ddpm" && r.steps == model.scheduler.schedule.steps)
    return make_ddpm(model.scheduler.variance);
  return make_sampler(r.sampler == "dpm-solver++" ? "dpm++" : r.sampler, r.eta);
}

UnetModelOptions options_for(const SamplesRequest& r, int batch, int channels, int size) {
  return {.sample = {batch, channels, size, size},
          .engine = r.engine,
          .threads = r.threads,
          .precision = r.precision};
}

/// How many pictures can be drawn at once. throws Error{too_large} if not even one.
int batch_within_memory(const DdpmUnetOptions& unet, UnetModelOptions options) {
  const auto fits = [&](int batch, int size) {
    options.sample.n = batch;
    options.sample.h = options.sample.w = size;
    const UnetCost cost = cost_of(unet, options);
    return cost.memory_free == 0 || cost.memory <= cost.memory_free;
  };
  const int size = options.sample.h;
  for (int batch = kLargestBatch; batch > 0; batch /= 2)
    if (fits(batch, size)) return batch;
  const UnetCost cost = cost_of(unet, options);  // of one
  const int step = 1 << (unet.block_out_channels.size() - 1);
  int smaller = size / 2 / step * step;
  while (smaller > step && !fits(1, smaller)) smaller = smaller / 2 / step * step;
  fail(ErrorCode::too_large,
       "ddpm sample: a picture of {0}x{0} px needs {1}, but {2} are available; try `size` {3}",
       size, bytes_in_words(cost.memory), bytes_in_words(cost.memory_free),
       std::max(smaller, step));
}

/// Of so many predictions, by the time that one takes at a size for which it is short; nothing if
/// they are soon done.
std::optional<double> seconds_for(const DiffusersModel& model, const UnetModelOptions& options,
                                  double predictions) {
  constexpr double kManyMacs = 5e11;  // some ten seconds
  constexpr int kProbe = 64;          // px
  const double macs = static_cast<double>(cost_of(model.unet, options).macs);
  if (macs * predictions < kManyMacs) return std::nullopt;
  UnetModelOptions probe = options;
  probe.sample.n = 1;
  probe.sample.h = probe.sample.w = std::min(kProbe, options.sample.h);
  UnetModel network(model.unet, model.weights, probe);
  const Tensor x(probe.sample, 0.f);
  network.predict(x, 0);  // to warm up
  const Clock::time_point start = Clock::now();
  network.predict(x, 0);
  return seconds_since(start) * macs / static_cast<double>(cost_of(model.unet, probe).macs) *
         predictions;
}

}  // namespace

std::vector<Image> pictures_of(const Tensor& x, int count) {
  const Shape shape = x.shape();
  const std::size_t size = x.count() / static_cast<std::size_t>(shape.n);
  std::vector<Image> pictures;
  for (int n = 0; n < count; ++n) {
    Image picture(shape.c, shape.h, shape.w);
    const float* from = x.data() + static_cast<std::size_t>(n) * size;
    std::transform(from, from + size, picture.pixels().begin(),
                   [](float v) { return std::clamp(0.5f * v + 0.5f, 0.f, 1.f); });
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

std::vector<Image> draw_samples(const DiffusersModel& model, const SamplesRequest& r,
                                const std::function<void(const SamplesProgress&)>& on_step,
                                std::stop_token cancel,
                                const std::function<void(double)>& on_estimate) {
  const int channels = model.unet.in_channels;
  if (channels != model.unet.out_channels || (channels != 1 && channels != 3))
    throw Error(ErrorCode::unsupported,
                fmt::format("ddpm sample: the model takes {} channels and gives {}; pictures have "
                            "1 or 3",
                            channels, model.unet.out_channels));
  const SchedulerConfig& config = model.scheduler;
  const NoiseSchedule schedule(config.schedule);
  const std::unique_ptr<Sampler> sampler = sampler_of(model, r);
  SampleOptions options;
  options.timesteps = spaced_timesteps(
      schedule.steps(), r.steps, r.spacing.value_or(config.timestep_spacing), config.steps_offset);
  options.prediction = config.prediction;
  options.clip = config.clip_sample;
  options.end_without_noise = config.set_alpha_to_one;

  const int size = size_of(model, r.size);
  const int largest = batch_within_memory(model.unet, options_for(r, 1, channels, size));
  const int batches = (r.count + largest - 1) / largest;
  const int batch = (r.count + batches - 1) / batches;
  const UnetModelOptions made = options_for(r, batch, channels, size);
  if (on_estimate)
    if (const auto seconds = seconds_for(model, made, static_cast<double>(batches) * r.steps))
      on_estimate(*seconds);
  const Shape shape = made.sample;
  UnetModel network(model.unet, model.weights, made);
  const NoisePredictor predict = [&](const Tensor& x, int t) {
    return network.predict(x, t, cancel);
  };
  std::vector<Image> pictures;
  for (int first = 0; first < r.count && !cancel.stop_requested(); first += batch) {
    const int wanted = std::min(batch, r.count - first);  // the last batch may hold some too many
    options.gaussian = noise_of(r.seed, first, batch);
    Tensor x(shape);
    options.gaussian(x.values());
    x = sample(
        predict, schedule, *sampler, std::move(x), options, nullptr,
        [&](const SampleProgress& progress) {
          const std::function<std::vector<Image>()> so_far = [&] {
            std::vector<Image> all = pictures;
            std::ranges::move(pictures_of(progress.x0, wanted), std::back_inserter(all));
            all.resize(static_cast<std::size_t>(r.count), Image(channels, size, size, kGray));
            return all;
          };
          if (on_step)
            on_step({(first / batch) * progress.steps + progress.done, batches * progress.steps,
                     so_far});
        },
        cancel);
    if (cancel.stop_requested()) break;
    std::ranges::move(pictures_of(x, wanted), std::back_inserter(pictures));
  }
  return pictures;
}

Image sheet_of(const std::vector<Image>& pictures, int columns, int zoom, int gap) {
  const int count = static_cast<int>(pictures.size());
  if (columns <= 0) columns = static_cast<int>(std::ceil(std::sqrt(count)));
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  const Image& model = pictures.front();
  const int height = zoom * model.height(), width = zoom * model.width();
  Image sheet(model.channels(), rows * (height + gap) - gap, columns * (width + gap) - gap, 1.f);
  for (int i = 0; i < count; ++i) {
    const Image& picture = pictures[static_cast<std::size_t>(i)];
    const int top = i / columns * (height + gap), left = i % columns * (width + gap);
    for (int c = 0; c < picture.channels(); ++c)
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
          sheet.at(c, top + y, left + x) = picture.at(c, y / zoom, x / zoom);
  }
  return sheet;
}

}  // namespace unmar
