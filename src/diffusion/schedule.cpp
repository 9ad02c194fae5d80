#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/fail.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace {

constexpr int kMostSteps = 1'000'000;
constexpr double kCosineOffset = 0.008, kLargestCosineBeta = 0.999;

/// abar of the cosine schedule at time u in [0,1], up to a factor.
double cosine_alpha_bar(double u) {
  const double c = std::cos((u + kCosineOffset) / (1 + kCosineOffset) * std::numbers::pi / 2);
  return c * c;
}

double beta_at(const ScheduleOptions& options, int t) {
  const double last = std::max(options.steps - 1, 1);
  const auto between = [&](double a, double b) { return a + (b - a) * t / last; };
  switch (options.kind) {
    case BetaSchedule::linear:
      return between(options.beta_start, options.beta_end);
    case BetaSchedule::scaled_linear: {
      const double root = between(std::sqrt(options.beta_start), std::sqrt(options.beta_end));
      return root * root;
    }
    case BetaSchedule::cosine: {
      const double steps = options.steps;
      return std::min(1 - cosine_alpha_bar((t + 1) / steps) / cosine_alpha_bar(t / steps),
                      kLargestCosineBeta);
    }
  }
  fail(ErrorCode::bad_argument, "schedule: unknown kind {}", static_cast<int>(options.kind));
}

}  // namespace

NoiseSchedule::NoiseSchedule(const ScheduleOptions& options) {
  if (options.steps < 1 || options.steps > kMostSteps)
    fail(ErrorCode::bad_argument, "schedule: steps must be 1 to {}, got {}", kMostSteps,
         options.steps);
  if (options.kind != BetaSchedule::cosine)
    for (const double beta : {options.beta_start, options.beta_end})
      if (!(beta > 0 && beta < 1))
        fail(ErrorCode::bad_argument,
             "schedule: beta must lie between 0 and 1, got {} to {}; usual are 0.0001 to 0.02",
             options.beta_start, options.beta_end);
  double alpha_bar = 1;
  for (int t = 0; t < options.steps; ++t) {
    beta_.push_back(beta_at(options, t));
    alpha_bar_.push_back(alpha_bar *= 1 - beta_.back());
  }
}

double NoiseSchedule::sigma(int t) const {
  const double a = alpha_bar(t);
  return std::sqrt((1 - a) / a);
}

int entry_timestep(const NoiseSchedule& schedule, double rmse, double factor) {
  if (!(rmse >= 0) || !(factor >= 0))
    fail(ErrorCode::bad_argument,
         "entry_timestep: rmse and factor must not be negative, got {} and {}", rmse, factor);
  int t = 0;
  while (t < schedule.steps() - 1 && schedule.sigma(t) < factor * rmse) ++t;
  return t;
}

std::vector<int> spaced_timesteps(int steps, int count, Spacing spacing, int offset) {
  if (count < 1 || count > steps)
    fail(ErrorCode::bad_argument, "timesteps: {} of {} asked for; give 1 to {}", count, steps,
         steps);
  std::vector<int> list;
  for (int i = 0; i < count; ++i) {
    const int j = count - 1 - i;
    const double share = static_cast<double>(steps) / count;
    switch (spacing) {
      case Spacing::leading:
        list.push_back(j * (steps / count) + offset);
        break;
      case Spacing::trailing:
        list.push_back(static_cast<int>(std::nearbyint(steps - i * share)) - 1);
        break;
      case Spacing::linspace:
        list.push_back(static_cast<int>(
            count == 1 ? 0 : std::nearbyint(j * (static_cast<double>(steps - 1) / (count - 1)))));
        break;
    }
  }
  if (list.front() >= steps || list.back() < 0)
    fail(ErrorCode::bad_argument, "timesteps: offset {} leads to {} .. {}, outside of 0 .. {}",
         offset, list.front(), list.back(), steps - 1);
  return list;
}

Tensor add_noise(const NoiseSchedule& schedule, const Tensor& x0, const Tensor& noise, int t) {
  if (noise.shape() != x0.shape())
    fail(ErrorCode::bad_argument, "add_noise: noise is {} for a picture of {}",
         to_string(noise.shape()), to_string(x0.shape()));
  if (t < 0 || t >= schedule.steps())
    fail(ErrorCode::bad_argument, "add_noise: t must be 0 to {}, got {}", schedule.steps() - 1, t);
  const double a = std::sqrt(schedule.alpha_bar(t)), s = std::sqrt(1 - schedule.alpha_bar(t));
  Tensor x(x0.shape());
  for (std::size_t i = 0; i < x.count(); ++i)
    x.data()[i] = static_cast<float>(a * static_cast<double>(x0.data()[i]) +
                                     s * static_cast<double>(noise.data()[i]));
  return x;
}

Mix mix_for_x0(Prediction prediction, double alpha_bar) {
  const double a = std::sqrt(alpha_bar), s = std::sqrt(1 - alpha_bar);
  switch (prediction) {
    case Prediction::epsilon:
      return {1 / a, -s / a};
    case Prediction::sample:
      return {0, 1};
    case Prediction::v:
      return {a, -s};
  }
  return {};
}

Mix mix_for_epsilon(Prediction prediction, double alpha_bar) {
  const double a = std::sqrt(alpha_bar), s = std::sqrt(1 - alpha_bar);
  switch (prediction) {
    case Prediction::epsilon:
      return {0, 1};
    case Prediction::sample:
      return {1 / s, -a / s};
    case Prediction::v:
      return {s, a};
  }
  return {};
}

}  // namespace unmar
