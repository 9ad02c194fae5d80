#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <initializer_list>
#include <vector>

#include "engine/ref/ops.h"
#include "unmar/graph/graph.h"

/// For tests of single ops of ref against numbers worked out by hand.
namespace unmar::test {

inline Tensor tensor(const Shape& shape, std::initializer_list<float> values) {
  EXPECT_EQ(shape.count(), values.size());
  Tensor t(shape);
  std::ranges::copy(values, t.data());
  return t;
}

/// 0, 1, 2, ...
inline Tensor counted(const Shape& shape) {
  Tensor t(shape);
  for (std::size_t i = 0; i < t.count(); ++i) t.values()[i] = static_cast<float>(i);
  return t;
}

inline std::vector<float> values(const Tensor& t) { return {t.values().begin(), t.values().end()}; }

/// One call of an op with its sources and parameters; every gradient is asked for.
template <class OpType>
class Hand {
 public:
  Hand(OpType op, std::vector<Tensor> src, std::vector<Tensor> params = {})
      : op_(std::move(op)), src_(std::move(src)), params_(std::move(params)) {
    std::vector<Shape> shapes;
    for (const Tensor& t : src_) {
      shapes.push_back(t.shape());
      call_.src.push_back(&t);
      call_.d_src.push_back(&d_src_.emplace_back(t.shape()));
    }
    for (const Tensor& t : params_) {
      call_.params.push_back(&t);
      call_.d_params.push_back(&d_params_.emplace_back(t.shape()));
    }
    dst_ = Tensor(infer_shape(op_, shapes, "hand"), -999.f);
    call_.dst = &dst_;
    ref::forward(op_, call_);
  }
  Hand(const Hand&) = delete;

  const Shape& shape() const { return dst_.shape(); }
  std::vector<float> dst() const { return values(dst_); }

  void backward(std::initializer_list<float> d_dst) {
    ref::Grad grad(dst_.shape());
    ASSERT_EQ(grad.count(), d_dst.size());
    for (std::size_t i = 0; i < d_dst.size(); ++i) grad[i] = d_dst.begin()[i];
    call_.d_dst = &grad;
    ref::backward(op_, call_);
  }
  std::vector<float> d_src(std::size_t i = 0) const { return copy(d_src_[i]); }
  std::vector<float> d_param(std::size_t i) const { return copy(d_params_[i]); }

 private:
  static std::vector<float> copy(const ref::Grad& grad) {
    Tensor t;
    grad.copy_to(t);
    return values(t);
  }

  OpType op_;
  std::vector<Tensor> src_, params_;
  Tensor dst_;
  std::deque<ref::Grad> d_src_, d_params_;  // a deque: call_ points to its elements
  ref::Call call_;
};

}  // namespace unmar::test
