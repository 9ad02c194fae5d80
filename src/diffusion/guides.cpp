#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/fail.h"
#include "diffusion/wide.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace {

/// A and y; A is compiled for the first picture that comes, which all others resemble.
class Observation {
 public:
  Observation(const Operator& A, Tensor y, const char* where)
      : a_(A), y_(std::move(y)), where_(where) {}

  /// y - A x
  Tensor residual(const Tensor& x) {
    Tensor r = of(x.shape()).apply(x);
    if (r.shape() != y_.shape())
      fail(ErrorCode::bad_argument, "{}: {} of {} gives {}, the observation is {}", where_,
           a_.describe(), to_string(x.shape()), to_string(r.shape()), to_string(y_.shape()));
    for (std::size_t i = 0; i < r.count(); ++i) r.data()[i] = y_.data()[i] - r.data()[i];
    return r;
  }

  CompiledOperator& of(const Shape& x) {
    if (!compiled_ || compiled_->x_shape() != x) compiled_.emplace(a_, x);
    return *compiled_;
  }

 private:
  const Operator& a_;
  Tensor y_;
  const char* where_;
  std::optional<CompiledOperator> compiled_;
};

class Ddnm final : public Guide {
 public:
  Ddnm(const Operator& A, Tensor y, double sigma_y)
      : observation_(A, std::move(y), "ddnm"), sigma_y_(sigma_y) {
    if (!(sigma_y >= 0))
      fail(ErrorCode::bad_argument, "ddnm: sigma_y must not be negative, got {}", sigma_y);
  }

  double correct_x0(const GuideState& state, Tensor& x0) override {
    // The noise of y reaches x_next as large as this; what the sampler would add anyway hides it.
    const double noise = state.weights.x0 * sigma_y_;
    const double lambda = noise > state.weights.noise ? state.weights.noise / noise : 1;
    if (lambda == 0) return 0;
    const Tensor residual = observation_.residual(x0);
    const Tensor correction = observation_.of(x0.shape()).apply_pseudo_inverse(residual);
    for (std::size_t i = 0; i < x0.count(); ++i)
      x0.data()[i] = static_cast<float>(wide(x0.data()[i]) + lambda * wide(correction.data()[i]));
    return lambda * noise * lambda * noise;
  }

 private:
  Observation observation_;
  double sigma_y_;
};

class Repaint final : public Guide {
 public:
  Repaint(Tensor known, Tensor mask) : known_(std::move(known)), mask_(std::move(mask)) {
    const Shape &k = known_.shape(), &m = mask_.shape();
    if (known_.empty() || m.n != 1 || (m.c != 1 && m.c != k.c) || m.h != k.h || m.w != k.w)
      fail(ErrorCode::bad_argument, "repaint: mask {} does not fit the picture {}", to_string(m),
           to_string(k));
    for (const float value : mask_.values())
      if (!(value >= 0.f && value <= 1.f))
        fail(ErrorCode::bad_argument, "repaint: mask values must be in [0,1], got {}", value);
  }

  void correct_next(const GuideState& state, const Tensor&, Tensor& next,
                    const GaussianSource& gaussian) override {
    if (next.shape() != known_.shape())
      fail(ErrorCode::bad_argument, "repaint: the sample is {}, the known picture {}",
           to_string(next.shape()), to_string(known_.shape()));
    const double a = std::sqrt(state.step.alpha_bar_next);
    const double s = std::sqrt(1 - state.step.alpha_bar_next);
    Tensor noise(next.shape());
    if (s > 0) gaussian(noise.values());
    const std::size_t picture = next.count() / static_cast<std::size_t>(next.shape().n);
    for (std::size_t i = 0; i < next.count(); ++i) {
      const double m = wide(mask_.data()[i % picture % mask_.count()]);
      if (m == 0) continue;  // a missing pixel may hold anything: NaN
      const double known = a * wide(known_.data()[i]) + s * wide(noise.data()[i]);
      next.data()[i] = static_cast<float>(m * known + (1 - m) * wide(next.data()[i]));
    }
  }

 private:
  Tensor known_, mask_;
};

class Dps final : public Guide {
 public:
  Dps(const Operator& A, Tensor y, ModelGradient gradient, double scale)
      : observation_(A, std::move(y), "dps"), gradient_(std::move(gradient)), scale_(scale) {
    if (!gradient_) fail(ErrorCode::bad_argument, "dps: there is no gradient of the model");
    if (!(scale >= 0))
      fail(ErrorCode::bad_argument, "dps: scale must not be negative, got {}", scale);
  }

  void correct_next(const GuideState& state, const Tensor& x0, Tensor& next,
                    const GaussianSource&) override {
    const Tensor r = observation_.residual(x0);
    double norm = 0;
    for (const float value : r.values()) norm += wide(value) * wide(value);
    norm = std::sqrt(norm);
    if (norm == 0) return;
    // d|r| / dx0 = -A^T r / |r|, and 0 where x0 was clipped.
    Tensor of_x0 = observation_.of(x0.shape()).apply_adjoint(r);
    const Mix mix = mix_for_x0(state.prediction, state.step.alpha_bar);
    Tensor of_output(x0.shape());
    for (std::size_t i = 0; i < x0.count(); ++i) {
      const auto unclipped = static_cast<float>(mix.x * wide(state.x.data()[i]) +
                                                mix.output * wide(state.output.data()[i]));
      const double g = unclipped == x0.data()[i] ? -wide(of_x0.data()[i]) / norm : 0;
      of_x0.data()[i] = static_cast<float>(g);
      of_output.data()[i] = static_cast<float>(mix.output * g);
    }
    const Tensor through = gradient_(state.x, state.step.t, of_output);
    if (through.shape() != next.shape())
      fail(ErrorCode::bad_argument, "dps: the model's gradient is {} for {}",
           to_string(through.shape()), to_string(next.shape()));
    for (std::size_t i = 0; i < next.count(); ++i)
      next.data()[i] =
          static_cast<float>(wide(next.data()[i]) -
                             scale_ * (mix.x * wide(of_x0.data()[i]) + wide(through.data()[i])));
  }

 private:
  Observation observation_;
  ModelGradient gradient_;
  double scale_;
};

}  // namespace

Tensor observation_for_model(const Operator& A, const Shape& x_shape, const Tensor& y) {
  const Tensor of_one = apply(A, Tensor(x_shape, 1.f));
  if (y.shape() != of_one.shape())
    fail(ErrorCode::bad_argument, "observation_for_model: {} of {} gives {}, got {}", A.describe(),
         to_string(x_shape), to_string(of_one.shape()), to_string(y.shape()));
  Tensor result = A.known_part(y);
  for (std::size_t i = 0; i < result.count(); ++i)
    result.data()[i] = 2 * result.data()[i] - of_one.data()[i];
  return result;
}

std::unique_ptr<Guide> make_ddnm(const Operator& A, Tensor y, double sigma_y) {
  return std::make_unique<Ddnm>(A, std::move(y), sigma_y);
}
std::unique_ptr<Guide> make_repaint(Tensor known, Tensor mask) {
  return std::make_unique<Repaint>(std::move(known), std::move(mask));
}
std::unique_ptr<Guide> make_dps(const Operator& A, Tensor y, ModelGradient gradient, double scale) {
  return std::make_unique<Dps>(A, std::move(y), std::move(gradient), scale);
}

}  // namespace unmar
