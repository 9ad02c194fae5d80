#include <utility>

#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

class RecomputeStep : public Step {
 public:
  explicit RecomputeStep(std::vector<Step*> steps) : steps_(std::move(steps)) {}

  Uses uses() override {
    Uses u;
    for (Step* step : steps_) {
      const Uses forward = step->uses();
      u.backward.insert(u.backward.end(), forward.forward.begin(), forward.forward.end());
    }
    return u;
  }
  void forward(const Pass&) override {}
  void backward(const Pass& pass) override {
    for (Step* step : steps_) step->recompute(pass);
  }
  StepFacts facts() const override { return {.makes_again = true}; }

 private:
  std::vector<Step*> steps_;
};

}  // namespace

std::unique_ptr<Step> make_recompute(std::vector<Step*> steps) {
  return std::make_unique<RecomputeStep>(std::move(steps));
}

}  // namespace unmar::cpu
