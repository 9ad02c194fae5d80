#include "fit/running_average.h"

#include <algorithm>
#include <cassert>

namespace unmar {

void copy_values(const Tensor& src, Tensor& dst) {
  assert(src.shape() == dst.shape());
  std::ranges::copy(src.values(), dst.data());
}

void RunningAverage::add(const Tensor& picture) {
  if (!started_ || decay_ == 0.f) {
    copy_values(picture, value_);
    started_ = true;
    return;
  }
  const float* src = picture.data();
  float* dst = value_.data();
  for (std::size_t i = 0; i < value_.count(); ++i)
    dst[i] = decay_ * dst[i] + (1.f - decay_) * src[i];
}

void RunningAverage::assign(const RunningAverage& other) {
  started_ = other.started_;
  if (started_) copy_values(other.value_, value_);
}

void RunningAverage::serialize(Archive& archive) {
  const Shape shape = value_.shape();
  archive(started_, value_);
  archive.require(value_.shape() == shape, "it is of a picture of another size");
}

}  // namespace unmar
