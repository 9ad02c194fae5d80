#pragma once

#include "unmar/tensor/archive.h"

namespace unmar {

/// Copies the values between tensors of one shape, without allocating.
void copy_values(const Tensor& src, Tensor& dst);

/// average = decay * average + (1 - decay) * picture, starting with the first picture.
/// With decay 0 it is the latest picture.
class RunningAverage {
 public:
  RunningAverage(const Shape& shape, float decay) : value_(shape), decay_(decay) {}

  void add(const Tensor& picture);
  bool started() const { return started_; }
  const Tensor& value() const { return value_; }
  Tensor take() { return std::move(value_); }

  void assign(const RunningAverage& other);  ///< without allocating
  void serialize(Archive& archive);

 private:
  Tensor value_;
  float decay_;
  bool started_ = false;
};

}  // namespace unmar
