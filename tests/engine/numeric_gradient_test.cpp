#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/harness.h"
#include "unmar/base/random.h"

namespace unmar::test {
namespace numeric_gradient_test {

/// A step that changes the loss by about this fraction of it: then the float that the loss is
/// rounded to costs 1e-4 of the slope at most.
constexpr double kLossChange = 1e-3;
/// Elements move by at most 3 times this, less than their margin of 0.2 to the nearest kink.
constexpr double kMaxStep = 0.03;
/// The rounding of a loss, and of the values it is made of, relative to it.
constexpr double kLossRounding = 2e-7;
/// Of the sum of the magnitudes; mistakes of index, sign or factor are 1e-2 and more.
constexpr double kTolerance = 1e-3;
/// Rounding must not be the larger part of what is compared.
constexpr double kMaxNoise = 0.02;

/// Something the loss depends on: its values, and the gradient to be checked.
struct Variable {
  std::string name;
  Tensor value, grad;
  std::function<void(Program&, const Tensor&)> set;
};

std::vector<Variable> variables(Program& program, const CaseGraph& g) {
  std::vector<Variable> result;
  for (const auto& [id, value] : g.inputs) {
    if (!std::get<Input>(g.graph.node(id).op).needs_grad) continue;
    Tensor grad;
    program.read_input_grad(id, grad);
    result.push_back({g.graph.node(id).name, value, std::move(grad),
                      [id = id](Program& p, const Tensor& v) { p.set_input(id, v); }});
  }
  const TrainState state = program.state();
  const std::vector<Tensor> grads = program.param_grads();
  for (std::size_t k = 0; k < grads.size(); ++k) {
    if (g.graph.params()[k].frozen) continue;
    result.push_back({g.graph.params()[k].name, state.params[k], grads[k],
                      [state, k](Program& p, const Tensor& v) {
                        TrainState moved = state;
                        moved.params[k] = v;
                        p.restore(moved);
                      }});
  }
  return result;
}

/// A random direction in which three elements of four move along their gradient: in a wholly
/// random one the slope drowns in the rounding of the loss.
Tensor direction(const Variable& v, int attempt) {
  const std::string name = fmt::format("{} {}", v.name, attempt);
  Tensor d(v.value.shape()), flip(v.value.shape());
  Random(3, name).uniform(d.values(), 0.5f, 1.5f);
  Random(4, name).bernoulli(flip.values(), 0.25f);
  for (std::size_t i = 0; i < d.count(); ++i)
    if ((v.grad.values()[i] < 0) != (flip.values()[i] != 0)) d.values()[i] *= -1;
  return d;
}

double loss_at(Program& program, const Variable& v, const Tensor& d, double step) {
  Tensor moved = v.value;
  for (std::size_t i = 0; i < moved.count(); ++i)
    moved.values()[i] += static_cast<float>(step * d.values()[i]);
  v.set(program, moved);
  program.forward(kIteration);
  return program.loss();
}

class NumericGradient : public ::testing::TestWithParam<OpCase> {};

TEST_P(NumericGradient, equals_that_of_ref) {
  const CaseGraph g = GetParam().build();
  const auto program = prepare("ref", g);
  EXPECT_EQ(mistrusted(run(*program, g), g), "") << repro();
  if (!g.smooth) return;
  const double loss = std::abs(program->loss());
  for (const Variable& v : variables(*program, g)) {
    if (std::ranges::count(g.vanishing, v.name) > 0) continue;
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Tensor d = direction(v, attempt);
      double slope = 0, size = 0;
      for (std::size_t i = 0; i < d.count(); ++i) {
        const double part = double{d.values()[i]} * double{v.grad.values()[i]};
        slope += part;
        size += std::abs(part);
      }
      const double step = std::min(kMaxStep, kLossChange * loss / size);
      const double noise = kLossRounding * loss / step;
      EXPECT_LT(noise, kMaxNoise * size) << "MISTRUSTED '" << v.name << "'\n" << repro();
      const auto at = [&](double steps) { return loss_at(*program, v, d, steps * step); };
      const double numeric = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step);
      EXPECT_NEAR(slope, numeric, kTolerance * size + noise)
          << GetParam().name << ", along the gradient of '" << v.name << "'\n"
          << repro();
    }
    v.set(*program, v.value);
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, NumericGradient, ::testing::ValuesIn(op_cases()),
                         [](const auto& info) { return test_name(info.param.name); });

}  // namespace numeric_gradient_test
}  // namespace unmar::test
