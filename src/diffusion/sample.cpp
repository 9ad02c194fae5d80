#include <algorithm>
#include <cmath>
#include <optional>

#include "base/fail.h"
#include "diffusion/wide.h"
#include "unmar/base/random.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace {

void check(const NoiseSchedule& schedule, const Tensor& x, const SampleOptions& options) {
  const auto& list = options.timesteps;
  if (list.empty()) fail(ErrorCode::bad_argument, "sample: the list of timesteps is empty");
  if (x.empty()) fail(ErrorCode::bad_argument, "sample: the start is empty");
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list[i] < 0 || list[i] >= schedule.steps() || (i > 0 && list[i] >= list[i - 1]))
      fail(ErrorCode::bad_argument,
           "sample: timesteps must fall and lie in 0 .. {}, got {} as number {}",
           schedule.steps() - 1, list[i], i + 1);
  if (options.travel_length < 1 || options.travel_repeats < 1)
    fail(ErrorCode::bad_argument,
         "sample: travel_length and travel_repeats must be at least 1, got {} and {}",
         options.travel_length, options.travel_repeats);
}

/// The places in the list that the model is called at, in order. A place that is not behind its
/// forerunner is reached by adding noise.
std::vector<int> travel_plan(int count, int length, int repeats) {
  std::vector<int> plan, left(static_cast<std::size_t>(count), repeats - 1);
  for (int i = 0; i < count;) {
    plan.push_back(i++);
    // Counted from the end, so that the last steps, which decide the details, are repeated too.
    if (i < count && (count - 1 - i) % length == 0 && i >= length &&
        left[static_cast<std::size_t>(i)]-- > 0)
      i -= length;
  }
  return plan;
}

Tensor mixed(const Mix& mix, const Tensor& x, const Tensor& output) {
  Tensor result(x.shape());
  for (std::size_t i = 0; i < x.count(); ++i)
    result.data()[i] =
        static_cast<float>(mix.x * wide(x.data()[i]) + mix.output * wide(output.data()[i]));
  return result;
}

void check_output(const Tensor& output, const Tensor& x, int t) {
  if (output.shape() != x.shape())
    fail(ErrorCode::bad_argument, "sample: the model made {} of {}", to_string(output.shape()),
         to_string(x.shape()));
  for (const float value : output.values())
    if (!std::isfinite(value))
      fail(ErrorCode::numeric,
           "sample: the model's output at t = {} is not finite; check its weights", t);
}

void add_scaled(Tensor& to, double scale, const Tensor& what) {
  for (std::size_t i = 0; i < to.count(); ++i)
    to.data()[i] = static_cast<float>(wide(to.data()[i]) + scale * wide(what.data()[i]));
}

void add_gaussian(Tensor& to, double sigma, const GaussianSource& gaussian) {
  Tensor noise(to.shape());
  gaussian(noise.values());
  add_scaled(to, sigma, noise);
}

/// x_next without its noise.
Tensor next_mean(const StepWeights& w, const Tensor& x0, const Tensor& x, const Tensor& epsilon,
                 const Tensor* last_x0) {
  Tensor next(x.shape());
  for (std::size_t i = 0; i < x.count(); ++i) {
    double value =
        w.x0 * wide(x0.data()[i]) + w.x * wide(x.data()[i]) + w.epsilon * wide(epsilon.data()[i]);
    if (last_x0 != nullptr) value += w.last_x0 * wide(last_x0->data()[i]);
    next.data()[i] = static_cast<float>(value);
  }
  return next;
}

constexpr int kNoiseBlock = 64;  // px

/// The block, whose corner is at (y, x) of the part, into the part.
void copy_overlap(std::span<const float> block, int y, int x, const Shape& part,
                  std::span<float> dst) {
  const int top = std::max(y, 0), bottom = std::min(y + kNoiseBlock, part.h);
  const int left = std::max(x, 0), right = std::min(x + kNoiseBlock, part.w);
  const auto at = [](int c, int height, int row, int width, int column) {
    return (static_cast<std::size_t>(c) * static_cast<std::size_t>(height) +
            static_cast<std::size_t>(row)) *
               static_cast<std::size_t>(width) +
           static_cast<std::size_t>(column);
  };
  for (int c = 0; c < part.c; ++c)
    for (int row = top; row < bottom; ++row)
      std::ranges::copy(
          block.subspan(at(c, kNoiseBlock, row - y, kNoiseBlock, left - x),
                        static_cast<std::size_t>(right - left)),
          dst.begin() + static_cast<std::ptrdiff_t>(at(c, part.h, row, part.w, left)));
}

}  // namespace

GaussianSource gaussian_source(std::uint64_t seed, std::string_view name) {
  return [seed, name = std::string(name), draw = 0](std::span<float> dst) mutable {
    Random(seed, fmt::format("{}.{}", name, draw++)).normal(dst);
  };
}

GaussianSource gaussian_source_at(std::uint64_t seed, std::string_view name, const Shape& part,
                                  int y, int x) {
  if (part.n != 1 || y < 0 || x < 0)
    fail(ErrorCode::bad_argument, "gaussian_source_at: no noise for {} at ({}, {})",
         to_string(part), x, y);
  return [=, name = std::string(name), draw = 0](std::span<float> dst) mutable {
    const std::string stream = fmt::format("{}.{}", name, draw++);
    std::vector<float> block(static_cast<std::size_t>(part.c) * kNoiseBlock * kNoiseBlock);
    for (int row = y / kNoiseBlock; row * kNoiseBlock < y + part.h; ++row)
      for (int column = x / kNoiseBlock; column * kNoiseBlock < x + part.w; ++column) {
        Random(seed, fmt::format("{}.{}.{}", stream, row, column)).normal(block);
        copy_overlap(block, row * kNoiseBlock - y, column * kNoiseBlock - x, part, dst);
      }
  };
}

double Guide::correct_x0(const GuideState&, Tensor&) { return 0; }
void Guide::correct_next(const GuideState&, const Tensor&, Tensor&, const GaussianSource&) {}

Tensor sample(const NoisePredictor& model, const NoiseSchedule& schedule, const Sampler& sampler,
              Tensor x, const SampleOptions& options, Guide* guide,
              const std::function<void(const SampleProgress&)>& on_step, std::stop_token cancel) {
  check(schedule, x, options);
  const auto& list = options.timesteps;
  const int count = static_cast<int>(list.size());
  const auto gaussian =
      options.gaussian ? options.gaussian : gaussian_source(options.seed, "sample");
  const double last_alpha_bar = options.end_without_noise ? 1 : schedule.alpha_bar(0);
  const auto alpha_bar = [&](int place) {
    return place == count ? last_alpha_bar
                          : schedule.alpha_bar(list[static_cast<std::size_t>(place)]);
  };
  const auto plan = travel_plan(count, options.travel_length, options.travel_repeats);

  std::optional<Step> before;  // its x0 is last_x0
  Tensor last_x0;
  int place = 0;  // of x
  for (std::size_t call = 0; call < plan.size(); ++call) {
    if (cancel.stop_requested()) return last_x0.empty() ? x : last_x0;
    if (plan[call] < place) {
      const double kept = alpha_bar(plan[call]) / alpha_bar(place);
      for (float& value : x.values()) value = static_cast<float>(std::sqrt(kept) * wide(value));
      add_gaussian(x, std::sqrt(1 - kept), gaussian);
      place = plan[call];
      before.reset();
    }
    const int t = list[static_cast<std::size_t>(place)];
    const Step step{t, alpha_bar(place), alpha_bar(place + 1), place + 1 == count};
    const Tensor output = model(x, t);
    if (cancel.stop_requested()) return last_x0.empty() ? x : last_x0;  // it may mean nothing
    check_output(output, x, t);
    Tensor x0 = mixed(mix_for_x0(options.prediction, step.alpha_bar), x, output);
    if (options.clip)
      for (float& value : x0.values()) value = std::clamp(value, -1.f, 1.f);

    StepWeights w = sampler.weights(step, before ? &*before : nullptr);
    const GuideState state{step, w, options.prediction, x, output};
    double noise = w.noise;
    if (guide != nullptr) {
      const double brought = guide->correct_x0(state, x0);
      noise = std::sqrt(std::max(noise * noise - brought, 0.));
    }
    const Tensor epsilon = mixed(mix_for_epsilon(options.prediction, step.alpha_bar), x, output);
    Tensor next = next_mean(w, x0, x, epsilon, before ? &last_x0 : nullptr);
    if (noise > 0) add_gaussian(next, noise, gaussian);
    if (guide != nullptr) guide->correct_next(state, x0, next, gaussian);

    x = std::move(next);
    last_x0 = std::move(x0);
    before = step;
    ++place;
    if (on_step) on_step({static_cast<int>(call) + 1, static_cast<int>(plan.size()), t, last_x0});
  }
  return x;
}

}  // namespace unmar
