#pragma once

#include <cmath>
#include <cstdint>

#include "unmar/engine/engine.h"

namespace unmar {

/// The factors of one Adam update, worked out once; `update` is the first, 1. Shared by the
/// engines, so that equal gradients give equal parameters.
struct AdamStep {
  AdamStep(const Adam& adam, std::int64_t update, double gradient_norm = 0)
      : beta1(adam.beta1), beta2(adam.beta2), eps(adam.eps) {
    const auto t = static_cast<double>(update);
    rate = static_cast<float>(adam.lr / (1 - std::pow(double{adam.beta1}, t)));
    if (adam.clip_norm > 0 && gradient_norm > double{adam.clip_norm})
      grad_scale = static_cast<float>(adam.clip_norm / gradient_norm);
    inv_root = static_cast<float>(1 / std::sqrt(1 - std::pow(double{adam.beta2}, t)));
  }

  /// One learned number p with gradient g and its moments. eps is added after the bias
  /// correction, as PyTorch does.
  void apply(float g, float& p, float& m, float& v) const {
    g *= grad_scale;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    p -= rate * m / (std::sqrt(v) * inv_root + eps);
  }

  float beta1, beta2, eps;
  float rate, inv_root;
  float grad_scale = 1.f;
};

/// How far the average of a parameter goes towards it after this update.
inline float average_share(float decay, std::int64_t update) {
  return update <= 1 ? 1.f : 1.f - decay;
}

}  // namespace unmar
