#include "tasks/blend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/fail.h"
#include "fit/canvas.h"
#include "unmar/base/process.h"

namespace unmar {
namespace {

// In the order of the candidates: filter, fit, step (docs/results.md).
const std::vector<double> kUsual = {0.6, 0.2, 0.2};
const std::vector<double> kUsualFiltered = {0.5, 0.25, 0.25};  ///< InputKind::filtered
/// The fit stands against correlated noise; the filter has to show that it does.
const std::vector<double> kUsualCorrelated = {0.2, 0.6, 0.2};

/// Calls visit(weights) for all weights that are multiples of 1 / steps and sum to one.
void for_all_weights(int steps, std::vector<double>& weights, std::size_t first, int left,
                     const std::function<void()>& visit) {
  if (first + 1 == weights.size()) {
    weights[first] = static_cast<double>(left) / steps;
    visit();
    return;
  }
  for (int i = 0; i <= left; ++i) {
    weights[first] = static_cast<double>(i) / steps;
    for_all_weights(steps, weights, first + 1, left - i, visit);
  }
}

Tensor where(const Tensor& mask, const Tensor& yes, const Tensor& no) {
  Tensor result = no;
  for (std::size_t i = 0; i < result.count(); ++i)
    if (mask.data()[i] > 0.f) result.data()[i] = yes.data()[i];
  return result;
}

std::vector<float> values_at(const Tensor& picture, const Tensor& mask) {
  std::vector<float> values;
  for (std::size_t i = 0; i < picture.count(); ++i)
    if (mask.data()[i] > 0.f) values.push_back(picture.data()[i]);
  return values;
}

double mean_square(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d * d;
  }
  return sum / static_cast<double>(a.size());
}

Tensor mixed(const std::vector<const Tensor*>& pictures, const Rect& rect,
             const std::vector<double>& weights) {
  const int channels = pictures.front()->shape().c;
  Tensor mix({1, channels, rect.height, rect.width}, 0.f);
  for (std::size_t k = 0; k < pictures.size(); ++k) {
    const Tensor part = crop(*pictures[k], rect);
    for (std::size_t i = 0; i < mix.count(); ++i)
      mix.data()[i] += static_cast<float>(weights[k]) * part.data()[i];
  }
  return mix;
}

/// The usual weights are meant for candidates whose errors differ little. A candidate that is much
/// worse than the best gets less: even a weight of 0.05 can cost half a decibel, and a few hundred
/// values do not show that.
std::vector<double> without_hopeless(const std::vector<double>& weights,
                                     const std::vector<double>& errors, double least) {
  double sum = 0;
  std::vector<double> own = weights;
  for (std::size_t k = 0; k < own.size(); ++k)
    sum += own[k] *= std::pow(least / std::max(errors[k], least), 4);
  if (!(sum > 0)) return weights;
  for (double& weight : own) weight /= sum;
  return own;
}

}  // namespace

std::vector<double> blend_weights(const std::vector<std::vector<float>>& candidates,
                                  const std::vector<float>& noisy,
                                  const std::vector<double>& usual_weights,
                                  std::vector<double>& errors) {
  constexpr double kSpread = 0.15;  ///< how far from `usual` is likely; chosen by hand
  constexpr int kSteps = 20;
  const std::size_t count = candidates.size();
  std::vector<double> products(count * count);
  for (std::size_t a = 0; a < count; ++a)
    for (std::size_t b = 0; b < count; ++b) {
      double sum = 0;
      for (std::size_t i = 0; i < noisy.size(); ++i)
        sum += (static_cast<double>(candidates[a][i]) - static_cast<double>(noisy[i])) *
               (static_cast<double>(candidates[b][i]) - static_cast<double>(noisy[i]));
      products[a * count + b] = sum / static_cast<double>(noisy.size());
    }
  errors.clear();
  for (std::size_t a = 0; a < count; ++a) errors.push_back(products[a * count + a]);
  // The noise of the hidden values is nearly all of the least error.
  const double noise = std::max(*std::min_element(errors.begin(), errors.end()), 1e-12);
  const std::vector<double> usual = without_hopeless(usual_weights, errors, noise);
  std::vector<double> weights(count), best = usual;
  double least = std::numeric_limits<double>::infinity();
  for_all_weights(kSteps, weights, 0, kSteps, [&] {
    double cost = 0;
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = 0; b < count; ++b)
        cost += weights[a] * weights[b] * products[a * count + b] *
                static_cast<double>(noisy.size()) / noise;
      cost += (weights[a] - usual[a]) * (weights[a] - usual[a]) / (kSpread * kSpread);
    }
    if (cost < least) least = cost, best = weights;
  });
  return best;
}

Blend::Blend(const Plan& plan, const RestoreOptions& resolved, std::stop_token cancel,
             std::function<void(double)> on_progress)
    : plan_(plan),
      cancel_(std::move(cancel)),
      on_progress_(std::move(on_progress)),
      threads_(resolved.threads.value()),
      starts_fit_(resolved.input == InputKind::filtered),
      known_(fully_known(plan)) {
  if (!plan.A->only_hides())
    fail(ErrorCode::unsupported,
         "blend: the patch filter removes noise only, but the damage is a {}; take `method` dip",
         plan.A->describe());
  const auto values = known_.values();
  if (std::all_of(values.begin(), values.end(), [](float v) { return v > 0.f; })) known_ = {};
}

/// The share of a part of the work becomes one between `from` and `to`.
PatchOptions Blend::patch_options(double from, double to) const {
  PatchOptions options;
  options.threads = threads_;
  options.cancel = cancel_;
  if (on_progress_)
    options.on_progress = [this, from, to](double done) {
      on_progress_(from + (to - from) * done);
    };
  return options;
}

Candidate& Blend::add(const char* name, const Tensor& picture, double seconds) {
  candidates_.push_back({.name = name, .image = finish(plan_, picture), .seconds = seconds});
  return candidates_.back();
}

const Candidate& Blend::filter() {
  const auto start = Clock::now();
  filtered_ =
      patches_denoise(plan_.y, *plan_.noise, patch_options(0, starts_fit_ ? 0.5 : 1), known_);
  Candidate& candidate = add("patches", filtered_, seconds_since(start));
  candidate.weight = 1;
  return candidate;
}

Tensor Blend::with(const Tensor& fit, double fit_seconds, const Hidden& hidden) {
  const NoiseModel& noise = *plan_.noise;
  // Where nothing is known the fit stands in.
  const Tensor y = known_.empty() ? plan_.y : where(known_, plan_.y, fit);
  const auto start = Clock::now();
  const Tensor step = patches_step(y, fit, noise, patch_options(0, 0.2));
  const double step_seconds = seconds_since(start);

  const bool measured = !hidden.from_fit.empty() && !values_at(fit, hidden.compared).empty();
  std::vector<Tensor> blind;
  if (measured && !cancel_.stop_requested()) {
    const Tensor unseen = where(hidden.from_fit, fit, y);
    blind.push_back(blind_filter(unseen, fit, hidden));
    blind.push_back(fit);
    blind.push_back(patches_step(unseen, fit, noise, patch_options(0.8, 1)));
  }
  if (cancel_.stop_requested()) return known_.empty() ? filtered_ : where(known_, filtered_, fit);

  add("dip", fit, fit_seconds);
  add("dip+patches", step, step_seconds);
  const std::vector<const Tensor*> pictures = {&filtered_, &fit, &step};
  Tensor result(fit.shape(), 0.f);
  if (measured) {
    const int height = fit.shape().h, width = fit.shape().w;
    std::vector<double> errors, of_tile;
    const std::vector<double> usual =
        weigh(blind, hidden.compared, {0, 0, height, width}, usual_weights(noise), errors);
    for (std::size_t k = 0; k < candidates_.size(); ++k)
      candidates_[k].weight = 0, candidates_[k].error = errors[k];
    const TileGrid grid = plan_.tiles.value_or(TileGrid(height, width, std::max(height, width), 0));
    for (int tile = 0; tile < grid.count(); ++tile) {
      const Rect rect = grid.tile(tile);
      const std::vector<double> weights =
          grid.count() == 1 ? usual : weigh(blind, hidden.compared, rect, usual, of_tile);
      for (std::size_t k = 0; k < candidates_.size(); ++k)
        candidates_[k].weight += weights[k] / grid.count();
      add_share(grid, tile, mixed(pictures, rect, weights), result);
    }
  } else {
    const bool fit_alone = noise.kind == NoiseKind::correlated;
    for (Candidate& c : candidates_) c.weight = c.name == (fit_alone ? "dip" : "patches") ? 1 : 0;
    result = fit_alone ? fit : filtered_;
  }
  return known_.empty() ? std::move(result) : where(known_, result, fit);
}

const Tensor& Blend::filter_without(const Hidden& hidden) {
  if (!filtered_without_.empty()) return filtered_without_;
  if (hidden.from_fit.empty()) return filtered_;
  Tensor seen = known_.empty() ? Tensor(plan_.y.shape(), 1.f) : known_;
  for (std::size_t i = 0; i < seen.count(); ++i)
    if (hidden.from_fit.data()[i] > 0.f) seen.data()[i] = 0.f;
  filtered_without_ =
      patches_denoise(plan_.y, *plan_.noise, patch_options(0.5, starts_fit_ ? 1 : 0.8), seen);
  return filtered_without_;
}

Tensor Blend::blind_filter(const Tensor& unseen, const Tensor& fit, const Hidden& hidden) {
  const auto error_of = [&](const Tensor& picture) {
    return mean_square(values_at(picture, hidden.compared), values_at(plan_.y, hidden.compared));
  };
  Tensor filled = patches_denoise(unseen, *plan_.noise, patch_options(0.2, 0.5));
  if (!starts_fit_ && error_of(fit) <= error_of(filled)) return filled;
  // Values of a poor fit in the places of the hidden ones mislead the filter, which has better ones
  // of its own.
  const Tensor& alone = filter_without(hidden);
  return error_of(alone) < error_of(filled) ? alone : std::move(filled);
}

const std::vector<double>& Blend::usual_weights(const NoiseModel& noise) const {
  if (noise.kind == NoiseKind::correlated) return kUsualCorrelated;
  return starts_fit_ ? kUsualFiltered : kUsual;
}

std::vector<double> Blend::weigh(const std::vector<Tensor>& blind, const Tensor& compared,
                                 const Rect& rect, const std::vector<double>& usual,
                                 std::vector<double>& errors) const {
  const Tensor places = crop(compared, rect);
  const std::vector<float> noisy = values_at(crop(plan_.y, rect), places);
  if (noisy.empty()) return usual;
  std::vector<std::vector<float>> values;
  for (const Tensor& picture : blind) values.push_back(values_at(crop(picture, rect), places));
  return blend_weights(values, noisy, usual, errors);
}

}  // namespace unmar
