#pragma once

#include "unmar/tensor/archive.h"

namespace unmar {

/// Copies the values between tensors of one shape, without allocating.
void copy_values(const Tensor& src, Tensor& dst);

/// average = d * average + (1 - d) * picture, where d is `decay` in the end. The n-th picture after
/// the first has d = n / (n + 5) at most, so that the first ones, which are the worst, are soon
/// forgotten: the average is then of the last fifth or so (polynomial decay: Shamir & Zhang,
/// "Stochastic Gradient Descent for Non-smooth Optimization", ICML 2013). With decay 0 it is the
/// latest picture.
class RunningAverage {
 public:
  RunningAverage(const Shape& shape, float decay) : value_(shape), decay_(decay) {}

  void add(const Tensor& picture);
  bool started() const { return count_ > 0; }
  const Tensor& value() const { return value_; }
  Tensor take() { return std::move(value_); }

  void assign(const RunningAverage& other);  ///< without allocating
  void serialize(Archive& archive);

 private:
  Tensor value_;
  float decay_;
  int count_ = 0;  ///< pictures added
};

}  // namespace unmar
