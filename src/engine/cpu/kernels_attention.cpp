#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/cpu/kernels_attention.cpp"
#include <hwy/foreach_target.h>  // includes this file again for each instruction set

#include <algorithm>

#include "engine/cpu/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unmar::cpu::HWY_NAMESPACE {
namespace {

using Full = hn::ScalableTag<float>;
using One = hn::CappedTag<float, 1>;

void softmax_row(float* row, std::size_t count, float scale) {
  const Full d;
  const One one;
  const std::size_t lanes = hn::Lanes(d), whole = count / lanes * lanes;

  float largest = row[0];
  if (whole > 0) {
    auto most = hn::LoadU(d, row);
    for (std::size_t i = lanes; i < whole; i += lanes) most = hn::Max(most, hn::LoadU(d, row + i));
    largest = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (std::size_t i = whole; i < count; ++i) largest = std::max(largest, row[i]);

  const auto exponential = [&](auto tag, std::size_t i) HWY_ATTR {
    const auto away = hn::Sub(hn::LoadU(tag, row + i), hn::Set(tag, largest));
    const auto e = hn::Exp(tag, hn::Mul(away, hn::Set(tag, scale)));
    hn::StoreU(e, tag, row + i);
    return e;
  };
  auto sums = hn::Zero(d);
  for (std::size_t i = 0; i < whole; i += lanes) sums = hn::Add(sums, exponential(d, i));
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (std::size_t i = whole; i < count; ++i) sum += hn::GetLane(exponential(one, i));

  for_lanes(count, [&](auto tag, std::size_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(tag, row + i), hn::Set(tag, 1.f / sum)), tag, row + i);
  });
}

void softmax_rows(float* rows, int count, int length, float scale) {
  const auto step = static_cast<std::size_t>(length);
  for (int i = 0; i < count; ++i, rows += step) softmax_row(rows, step, scale);
}

void softmax_row_backward(const float* value, float* grad, std::size_t count, float scale) {
  const Full d;
  const std::size_t lanes = hn::Lanes(d), whole = count / lanes * lanes;
  auto dots = hn::Zero(d);
  for (std::size_t i = 0; i < whole; i += lanes)
    dots = hn::MulAdd(hn::LoadU(d, value + i), hn::LoadU(d, grad + i), dots);
  float dot = hn::GetLane(hn::SumOfLanes(d, dots));
  for (std::size_t i = whole; i < count; ++i) dot += value[i] * grad[i];

  for_lanes(count, [&](auto tag, std::size_t i) HWY_ATTR {
    const auto away = hn::Sub(hn::LoadU(tag, grad + i), hn::Set(tag, dot));
    const auto scaled = hn::Mul(hn::LoadU(tag, value + i), hn::Set(tag, scale));
    hn::StoreU(hn::Mul(scaled, away), tag, grad + i);
  });
}

void softmax_rows_backward(const float* values, float* grads, int count, int length, float scale) {
  const auto step = static_cast<std::size_t>(length);
  for (int i = 0; i < count; ++i, values += step, grads += step)
    softmax_row_backward(values, grads, step, scale);
}

}  // namespace
}  // namespace unmar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unmar::cpu {

HWY_EXPORT(softmax_rows);
HWY_EXPORT(softmax_rows_backward);

void softmax_rows(float* rows, int count, int length, float scale) {
  HWY_DYNAMIC_DISPATCH(softmax_rows)(rows, count, length, scale);
}
void softmax_rows_backward(const float* values, float* grads, int count, int length, float scale) {
  HWY_DYNAMIC_DISPATCH(softmax_rows_backward)(values, grads, count, length, scale);
}

}  // namespace unmar::cpu
#endif
