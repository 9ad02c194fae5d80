#include "base/fail.h"
#include "unmar/operators/operators.h"

namespace unmar {
namespace {

const char* kernel_name(ReduceKernel kernel) {
  switch (kernel) {
    case ReduceKernel::lanczos2:
      return "lanczos2";
    case ReduceKernel::lanczos3:
      return "lanczos3";
    case ReduceKernel::bicubic:
      return "bicubic";
    case ReduceKernel::box:
      return "box";
  }
  return "unknown";
}

class Reduction final : public Operator {
 public:
  Reduction(ReduceKernel kernel, int factor) : kernel_(kernel), factor_(factor) {
    if (factor != 2 && factor != 3 && factor != 4 && factor != 8)
      fail(ErrorCode::bad_argument, "reduction: factor must be 2, 3, 4 or 8, got {}", factor);
  }

  std::string describe() const override {
    return fmt::format("{} reduction by {}", kernel_name(kernel_), factor_);
  }

  Shape output_shape(const Shape& x) const override {
    const int f = factor_;
    if (x.h < f || x.w < f || x.h % f != 0 || x.w % f != 0)
      fail(ErrorCode::bad_argument,
           "reduction: a picture of {}x{} does not divide by {}; crop its sides to multiples", x.w,
           x.h, f);
    return {x.n, x.c, x.h / f, x.w / f};
  }

  NodeId write(Graph& graph, NodeId x) const override {
    output_shape(graph.shape(x));
    return graph.add(Linear::reduce(graph.shape(x), kernel_, factor_), {x},
                     fmt::format("A.reduce{}", graph.nodes().size()));
  }

  int reach() const override {
    const bool wide = kernel_ == ReduceKernel::lanczos3;
    return kernel_ == ReduceKernel::box ? 0 : (wide ? 3 : 2) * factor_;
  }
  std::unique_ptr<Operator> restricted(const Shape&, const Rect&) const override {
    return std::make_unique<Reduction>(*this);
  }

 private:
  ReduceKernel kernel_;
  int factor_;
};

}  // namespace

std::unique_ptr<Operator> make_reduction(ReduceKernel kernel, int factor) {
  return std::make_unique<Reduction>(kernel, factor);
}

}  // namespace unmar
