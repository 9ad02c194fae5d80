#pragma once

#include <cstdint>
#include <vector>

#include "unmar/graph/ops.h"

/// The ops as plain loops over NCHW tensors: this is what each op means. Values are float, as in
/// every engine; sums and gradients are double, so that rounding hides no mistake.
namespace unmar::ref {

/// The gradient of a tensor, in double, because backward passes add to it from many places.
class Grad {
 public:
  explicit Grad(const Shape& shape) : shape_(shape), values_(shape.count()) {}

  double& at(int n, int c, int y, int x) {
    const auto size = [](int i) { return static_cast<std::size_t>(i); };
    return values_[((size(n) * size(shape_.c) + size(c)) * size(shape_.h) + size(y)) *
                       size(shape_.w) +
                   size(x)];
  }
  double& operator[](std::size_t i) { return values_[i]; }
  std::size_t count() const { return values_.size(); }
  void set_zero() { values_.assign(values_.size(), 0.0); }
  void copy_to(Tensor& dst) const;

 private:
  Shape shape_;
  std::vector<double> values_;
};

/// A node as its op sees it: borrowed tensors, in the order of Node::src and Node::params.
/// A forward writes all of dst. A backward adds to the gradients, and skips those that are null
/// because nothing to be learned depends on that source, or the parameter is frozen.
struct Call {
  std::vector<const Tensor*> src;
  std::vector<const Tensor*> params;
  Tensor* dst = nullptr;

  Grad* d_dst = nullptr;
  std::vector<Grad*> d_src;
  std::vector<Grad*> d_params;
};

/// Which noise a Jitter or Dropout draws.
struct Noise {
  bool on = true;
  std::uint64_t key = 0;  ///< stream_key(seed, node name)
  std::int64_t iteration = 0;
};

void forward(const Conv2d& op, const Call& call);
void backward(const Conv2d& op, const Call& call);

void forward(const ConvTranspose2d& op, const Call& call);
void backward(const ConvTranspose2d& op, const Call& call);
void forward(const PixelShuffle& op, const Call& call);
void backward(const PixelShuffle& op, const Call& call);

void forward(const MaxPool& op, const Call& call);
void backward(const MaxPool& op, const Call& call);

void forward(const Linear& op, const Call& call);
void backward(const Linear& op, const Call& call);

void forward(const Filter& op, const Call& call);
void backward(const Filter& op, const Call& call);

void forward(const Concat& op, const Call& call);
void backward(const Concat& op, const Call& call);

void forward(const Norm& op, const Call& call);
void backward(const Norm& op, const Call& call);
/// The running mean and variance of a tracked norm after a step on src.
void track(const Norm& op, const Tensor& src, Tensor& mean, Tensor& var);

void forward(const Learned& op, const Call& call);
void backward(const Learned& op, const Call& call);
void forward(const Jitter& op, const Noise& noise, const Call& call);
void backward(const Jitter& op, const Call& call);
void forward(const Dropout& op, const Noise& noise, const Call& call);
void backward(const Dropout& op, const Noise& noise, const Call& call);
void forward(const Activation& op, const Call& call);
void backward(const Activation& op, const Call& call);
void forward(const Add& op, const Call& call);
void backward(const Add& op, const Call& call);
void forward(const Multiply& op, const Call& call);
void backward(const Multiply& op, const Call& call);

void forward(const TimeEmbedding& op, const Call& call);
void backward(const TimeEmbedding& op, const Call& call);
void forward(const Attention& op, const Call& call);
void backward(const Attention& op, const Call& call);

void forward(const Mse& op, const Call& call);
void backward(const Mse& op, const Call& call);
void forward(const L1& op, const Call& call);
void backward(const L1& op, const Call& call);
void forward(const BceWithLogits& op, const Call& call);
void backward(const BceWithLogits& op, const Call& call);
void forward(const TotalVariation& op, const Call& call);
void backward(const TotalVariation& op, const Call& call);
void forward(const WeightedSum& op, const Call& call);
void backward(const WeightedSum& op, const Call& call);

/// Calls body(n, c, y, x) for each element, in memory order.
template <class Body>
void for_each(const Shape& shape, Body body) {
  for (int n = 0; n < shape.n; ++n)
    for (int c = 0; c < shape.c; ++c)
      for (int y = 0; y < shape.h; ++y)
        for (int x = 0; x < shape.w; ++x) body(n, c, y, x);
}

}  // namespace unmar::ref
