#include "unmar/tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

namespace unmar {
namespace {
constexpr std::align_val_t kAlignment{64};  // a cache line, and the widest SIMD register
}

std::string to_string(const Shape& s) { return fmt::format("[{},{},{},{}]", s.n, s.c, s.h, s.w); }

void Tensor::Free::operator()(float* p) const { ::operator delete[](p, kAlignment); }

Tensor::Tensor(const Shape& shape, float value)
    : shape_(shape),
      data_(static_cast<float*>(::operator new[](shape.count() * sizeof(float), kAlignment))) {
  std::fill_n(data_.get(), count(), value);
}

Tensor::Tensor(const Tensor& other) : shape_(other.shape_) {
  if (!other.data_) return;
  data_.reset(static_cast<float*>(::operator new[](other.count() * sizeof(float), kAlignment)));
  std::copy_n(other.data(), other.count(), data_.get());
}

Tensor& Tensor::operator=(Tensor other) noexcept {
  std::swap(shape_, other.shape_);
  std::swap(data_, other.data_);
  return *this;
}

}  // namespace unmar
