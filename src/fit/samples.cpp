#include "fit/samples.h"

#include <algorithm>
#include <cmath>

#include "base/fail.h"

namespace unmar {

std::vector<std::size_t> spread_samples(std::size_t count, std::size_t max_samples) {
  const std::size_t samples = std::min(count, max_samples);
  const double interval = static_cast<double>(count) / static_cast<double>(samples);
  constexpr double kGolden = 0.6180339887498949;  // its multiples fill [0,1) evenly
  std::vector<std::size_t> at(samples);
  for (std::size_t i = 0; i < samples; ++i) {
    if (samples == count) {
      at[i] = i;
      continue;
    }
    const double order = static_cast<double>(i);
    const double within = order * kGolden - std::floor(order * kGolden);
    at[i] = std::min(static_cast<std::size_t>((order + within) * interval), count - 1);
  }
  return at;
}

void check_max_samples(std::size_t max_samples, const char* where) {
  if (max_samples < 1)
    fail(ErrorCode::bad_argument, "{}: max_samples must be at least 1, got {}", where, max_samples);
}

const std::vector<std::size_t>& Samples::of(const Tensor& out, const char* where) {
  if (at_.empty()) {
    shape_ = out.shape();
    at_ = spread_samples(out.count(), max_);
  }
  if (out.shape() != shape_ || out.empty())
    fail(ErrorCode::bad_argument, "{}: the picture was {} and is now {}", where, to_string(shape_),
         to_string(out.shape()));
  return at_;
}

void Samples::serialize(Archive& archive) {
  archive(shape_.n, shape_.c, shape_.h, shape_.w);
  if (!archive.reading()) return;
  at_.clear();
  const auto samples = static_cast<long double>(shape_.n) * shape_.c * shape_.h * shape_.w;
  archive.require(samples >= 0 && samples < 0x1p62L, "it watches a picture that cannot be");
  if (shape_.count() > 0) at_ = spread_samples(shape_.count(), max_);
}

}  // namespace unmar
