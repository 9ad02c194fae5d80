#include "fit/running_average.h"

#include <algorithm>
#include <cassert>

namespace unmar {

void copy_values(const Tensor& src, Tensor& dst) {
  assert(src.shape() == dst.shape());
  std::ranges::copy(src.values(), dst.data());
}

void RunningAverage::add(const Tensor& picture) {
  constexpr float kForgets = 5;
  const auto before = static_cast<float>(count_++);
  const float decay = std::min(decay_, before / (before + kForgets));
  if (decay == 0.f) return copy_values(picture, value_);
  const float* src = picture.data();
  float* dst = value_.data();
  for (std::size_t i = 0; i < value_.count(); ++i) dst[i] = decay * dst[i] + (1.f - decay) * src[i];
}

void RunningAverage::assign(const RunningAverage& other) {
  count_ = other.count_;
  if (started()) copy_values(other.value_, value_);
}

void RunningAverage::serialize(Archive& archive) {
  const Shape shape = value_.shape();
  archive(count_, value_);
  archive.require(value_.shape() == shape, "it is of a picture of another size");
  archive.require(count_ >= 0, "the running average has a negative count");
}

}  // namespace unmar
