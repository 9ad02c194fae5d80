#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace unmar {

/// Size of a tensor: batch, channels, rows, columns. Memory order is NCHW.
struct Shape {
  int n = 1, c = 1, h = 1, w = 1;

  std::size_t count() const {
    return static_cast<std::size_t>(n) * static_cast<std::size_t>(c) * static_cast<std::size_t>(h) *
           static_cast<std::size_t>(w);
  }
  bool operator==(const Shape&) const = default;
};

std::string to_string(const Shape& shape);  ///< "[1,3,64,48]"

/// Owns float32 values in NCHW order, aligned to 64 bytes. A value type: copying copies the data.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const Shape& shape, float value = 0.f);
  Tensor(const Tensor& other);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor other) noexcept;
  ~Tensor() = default;

  const Shape& shape() const { return shape_; }
  std::size_t count() const { return data_ ? shape_.count() : 0; }
  bool empty() const { return count() == 0; }

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::span<float> values() { return {data_.get(), count()}; }
  std::span<const float> values() const { return {data_.get(), count()}; }

  float& at(int n, int c, int y, int x) { return data_[offset(n, c, y, x)]; }
  float at(int n, int c, int y, int x) const { return data_[offset(n, c, y, x)]; }

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::size_t offset(int n, int c, int y, int x) const {
    return ((static_cast<std::size_t>(n) * static_cast<std::size_t>(shape_.c) +
             static_cast<std::size_t>(c)) *
                static_cast<std::size_t>(shape_.h) +
            static_cast<std::size_t>(y)) *
               static_cast<std::size_t>(shape_.w) +
           static_cast<std::size_t>(x);
  }

  Shape shape_{0, 0, 0, 0};
  std::unique_ptr<float[], Free> data_;
};

/// Borrowed, read-only NCHW values; valid for the call it is passed to.
struct TensorView {
  TensorView(const Tensor& t) : data(t.data()), shape(t.shape()) {}  // implicit on purpose
  TensorView(const float* d, const Shape& s) : data(d), shape(s) {}

  const float* data;
  Shape shape;
};

}  // namespace unmar
