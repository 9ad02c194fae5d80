#include <algorithm>

#include "base/fail.h"
#include "unmar/operators/operators.h"

namespace unmar {
namespace {

/// The same picture `n` times, as one batch.
std::shared_ptr<const Tensor> repeated(const Tensor& picture, int n) {
  Shape shape = picture.shape();
  shape.n = n;
  auto batch = std::make_shared<Tensor>(shape);
  for (std::size_t i = 0; i < batch->count(); i += picture.count())
    std::copy_n(picture.data(), picture.count(), batch->data() + i);
  return batch;
}

class Mask final : public Operator {
 public:
  explicit Mask(Tensor mask) : mask_(std::make_shared<const Tensor>(std::move(mask))) {
    const Shape& m = mask_->shape();
    if (mask_->empty() || m.n != 1)
      fail(ErrorCode::bad_argument, "mask: must be one picture, got {}", to_string(m));
    bool any = false;
    for (const float v : mask_->values()) {
      if (!(v >= 0.f && v <= 1.f))
        fail(ErrorCode::bad_argument, "mask: values must be in [0,1], got {}", v);
      any = any || v > 0.f;
    }
    if (!any)
      fail(ErrorCode::bad_argument,
           "mask: every pixel is marked as missing; known pixels must be 1 (white)");
  }

  std::string describe() const override {
    double sum = 0;
    for (const float v : mask_->values()) sum += static_cast<double>(v);
    return fmt::format("mask with {:.1f} % known", 100 * sum / static_cast<double>(mask_->count()));
  }

  Shape output_shape(const Shape& x) const override {
    const Shape& m = mask_->shape();
    if (m.h != x.h || m.w != x.w)
      fail(ErrorCode::bad_argument,
           "mask: is {}x{} but the picture is {}x{}; give a mask of the picture's size", m.w, m.h,
           x.w, x.h);
    if (m.c != 1 && m.c != x.c)
      fail(ErrorCode::bad_argument,
           "mask: has {} channels but the picture has {}; give one channel, or as many", m.c, x.c);
    return x;
  }

  NodeId write(Graph& graph, NodeId x) const override {
    const Shape shape = output_shape(graph.shape(x));
    // Named by position: an operator may be written into one graph more than once.
    const NodeId mask = graph.add(Constant{shape.n == 1 ? mask_ : repeated(*mask_, shape.n)}, {},
                                  fmt::format("A.mask{}", graph.nodes().size()));
    return graph.add(Multiply{}, {x, mask});
  }

  Tensor known_part(const Tensor& y) const override {
    const Shape shape = output_shape(y.shape());
    Tensor part(shape);
    const std::size_t picture = y.count() / static_cast<std::size_t>(shape.n);
    for (std::size_t i = 0; i < y.count(); ++i) {
      // One channel serves all: the planes of the mask repeat.
      const float m = mask_->data()[i % picture % mask_->count()];
      part.data()[i] = m == 0.f ? 0.f : m * y.data()[i];  // a missing pixel may hold anything: NaN
    }
    return part;
  }

  bool only_hides() const override { return true; }
  std::unique_ptr<Operator> restricted(const Shape& x, const Rect& part) const override {
    output_shape(x);  // throws if the mask is not of its size
    return std::make_unique<Mask>(within(part));
  }
  Tensor within(const Rect& part) const { return crop(*mask_, part); }

 private:
  std::shared_ptr<const Tensor> mask_;  ///< shared with the graphs it was written into
};

/// Another operator behind which a mask hides values.
class Masked final : public Operator {
 public:
  Masked(std::unique_ptr<Operator> of, Tensor mask) : of_(std::move(of)), mask_(std::move(mask)) {}

  std::string describe() const override {
    return fmt::format("{} behind a {}", of_->describe(), mask_.describe());
  }
  Shape output_shape(const Shape& x) const override {
    return mask_.output_shape(of_->output_shape(x));
  }
  NodeId write(Graph& graph, NodeId x) const override {
    return mask_.write(graph, of_->write(graph, x));
  }
  Tensor known_part(const Tensor& y) const override { return mask_.known_part(of_->known_part(y)); }
  bool only_hides() const override { return of_->only_hides(); }
  int reach() const override { return of_->reach(); }
  std::unique_ptr<Operator> restricted(const Shape& x, const Rect& part) const override {
    auto of = of_->restricted(x, part);
    if (!of) return nullptr;
    const int factor = x.h / output_shape(x).h;
    return std::make_unique<Masked>(
        std::move(of), mask_.within({part.y / factor, part.x / factor, part.height / factor,
                                     part.width / factor}));
  }

 private:
  std::unique_ptr<Operator> of_;
  Mask mask_;
};

}  // namespace

std::unique_ptr<Operator> make_masked(std::unique_ptr<Operator> of, Tensor mask) {
  return std::make_unique<Masked>(std::move(of), std::move(mask));
}

std::unique_ptr<Operator> make_mask(Tensor mask) { return std::make_unique<Mask>(std::move(mask)); }

}  // namespace unmar
