#pragma once

#include "engine/cuda/kernels/values.h"

namespace unmar::cuda {

UNMAR_DEVICE float sigmoid(float x) { return 1.f / (1.f + exponential(-x)); }
/// By e^(-2 |x|), which cannot overflow.
UNMAR_DEVICE float hyperbolic_tangent(float x) {
  const float e = exponential(-2.f * absolute(x));
  const float t = (1.f - e) / (1.f + e);
  return x < 0.f ? -t : t;
}

UNMAR_DEVICE float activate(Act act, float x) {
  switch (act.kind) {
    case act_relu:
      return x > 0.f ? x : 0.f;
    case act_leaky:
      return x > 0.f ? x : act.slope * x;
    case act_elu:
      return x > 0.f ? x : act.slope * (exponential(x) - 1.f);
    case act_silu:
      return x * sigmoid(x);
    case act_gelu:
      return x * normal_cdf(x);
    case act_tanh:
      return hyperbolic_tangent(x);
    case act_sigmoid:
      return sigmoid(x);
    default:
      return x;
  }
}

/// At 0, where some have a kink, the side of the negative values.
UNMAR_DEVICE float slope_at(Act act, float x) {
  switch (act.kind) {
    case act_relu:
      return x > 0.f ? 1.f : 0.f;
    case act_leaky:
      return x > 0.f ? 1.f : act.slope;
    case act_elu:
      return x > 0.f ? 1.f : act.slope * exponential(x);
    case act_silu: {
      const float s = sigmoid(x);
      return s * (1.f + x * (1.f - s));
    }
    case act_gelu:
      return normal_cdf(x) + x * exponential(-0.5f * x * x) * 0.398942280f;
    case act_tanh: {
      const float t = hyperbolic_tangent(x);
      return 1.f - t * t;
    }
    case act_sigmoid: {
      const float s = sigmoid(x);
      return s * (1.f - s);
    }
    default:
      return 1.f;
  }
}

/// Of two straight lines that meet at 0: the second, with slope 1, is for x > 0.
UNMAR_DEVICE bool is_straight(Act act) {
  return act.kind == act_none || act.kind == act_relu || act.kind == act_leaky;
}
UNMAR_DEVICE float slope_below(Act act) {
  return act.kind == act_leaky ? act.slope : act.kind == act_relu ? 0.f : 1.f;
}

/// dst = v, or += v.
UNMAR_DEVICE void put(float* dst, float v, int accumulate) { *dst = accumulate ? *dst + v : v; }

/// The source row or column that padded position i stands for; -1: none.
UNMAR_DEVICE int source_index(int i, int size, int reflect) {
  if (i >= 0 && i < size) return i;
  if (!reflect) return -1;
  return i < 0 ? -i : 2 * (size - 1) - i;
}
/// The padded position number `which` that stands for row or column i: 0 is i itself, 1 and 2 lie
/// beyond the edges. False if there is none.
UNMAR_DEVICE bool padded_position(int which, int i, int size, int reflect, int& position) {
  if (which == 1 && (!reflect || i == 0)) return false;
  if (which == 2 && (!reflect || i == size - 1)) return false;
  position = which == 0 ? i : which == 1 ? -i : 2 * (size - 1) - i;
  return true;
}

}  // namespace unmar::cuda
