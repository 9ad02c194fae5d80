#include <algorithm>

#include "engine/cpu/steps.h"
#include "engine/plan/layout.h"

namespace unmar::cpu {
namespace {

class CotangentStep : public Step {
 public:
  CotangentStep(NodeId node, const GradPlace& grad) : node_(node), grad_(grad) {}

  Uses uses() override { return {{}, {grad_.place.buffer}}; }
  void forward(const Pass&) override {}
  void backward(const Pass& pass) override {
    const View grad = grad_.place.view();
    const bool given = pass.from == node_;
    const TensorView cotangent(pass.cotangent, grad_.place.shape);
    if (given && grad_.accumulate)
      add_channels_last(cotangent, grad);
    else if (given)
      to_channels_last(cotangent, grad);
    else if (!grad_.accumulate)
      for (std::ptrdiff_t p = 0; p < grad.pixels(); ++p) std::fill_n(grad.pixel(p), grad.c, 0.f);
  }
  StepFacts facts() const override { return {.passes_cotangent = true}; }

 private:
  NodeId node_;
  GradPlace grad_;
};

}  // namespace

std::unique_ptr<Step> make_cotangent(NodeId node, const GradPlace& grad) {
  return std::make_unique<CotangentStep>(node, grad);
}

}  // namespace unmar::cpu
