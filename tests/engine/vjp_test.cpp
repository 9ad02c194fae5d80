#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "engine/harness.h"
#include "error_text.h"
#include "unmar/base/random.h"

/// Program::backward(node, cotangent): vector-Jacobian products.
namespace unmar::test {
namespace vjp_test {

using ::testing::HasSubstr;

/// As in parity_test.cpp.
constexpr double kTolerance = 1e-4;
/// Of the elements, which keep 0.2 from a kink, but what lies behind them may come near one.
constexpr double kStep = 0.01;
/// Of the values, relative to them.
constexpr double kRounding = 2e-7;
/// Of the sum of the magnitudes; mistakes of index, sign or factor are 1e-2 and more.
constexpr double kNumericTolerance = 3e-3;

/// The first kept node: what the case is about.
NodeId subject(const CaseGraph& g) {
  for (int i = 0; i < static_cast<int>(g.graph.nodes().size()); ++i)
    if (g.graph.kept({i})) return {i};
  return {};
}

using EngineAndCase = std::tuple<std::string, OpCase>;

class Vjp : public ::testing::TestWithParam<EngineAndCase> {
 protected:
  const std::string& engine() const { return std::get<0>(GetParam()); }
  CaseGraph g_ = std::get<1>(GetParam()).build();
  NodeId node_ = subject(g_);
};

// mean((f - t)^2) has the gradient 2/N (f - t) with respect to f, which is u for t = f - N/2 u.
TEST_P(Vjp, is_the_gradient_of_a_loss_made_for_it) {
  ASSERT_TRUE(node_.valid());
  const auto program = prepare(engine(), g_, {.poison = true, .backward_from = {node_}});
  const Outcome actual = run_from(*program, g_, node_);

  CaseGraph made = g_;
  const Shape shape = g_.graph.shape(node_);
  const NodeId target = made.graph.add(Input{shape}, {}, "vjp.target");
  made.graph.set_loss(made.graph.add(Mse{}, {node_, target}, "vjp.loss"));
  const auto ref = prepare("ref", made);
  ref->forward(kIteration);
  Tensor values;
  ref->read(node_, values);
  const Tensor u = drawn_cotangent(g_, node_);
  const double half = static_cast<double>(shape.count()) / 2;
  for (std::size_t i = 0; i < values.count(); ++i)
    values.data()[i] = static_cast<float>(double{values.data()[i]} - half * double{u.data()[i]});
  ref->set_input(target, values);
  ref->forward(kIteration);
  ref->backward();
  EXPECT_EQ(difference(gradients(*ref, g_), actual, kTolerance, g_), "") << repro();
}

TEST_P(Vjp, leaves_the_gradient_of_the_loss_what_it_is) {
  const auto program = prepare(engine(), g_, {.backward_from = {node_}});
  const auto plain = prepare("ref", g_);
  run_from(*program, g_, node_);
  EXPECT_EQ(difference(run(*plain, g_), run(*program, g_), kTolerance, g_), "") << repro();
}

INSTANTIATE_TEST_SUITE_P(Ops, Vjp,
                         ::testing::Combine(::testing::ValuesIn(engine_names()),
                                            ::testing::ValuesIn(op_cases())),
                         [](const auto& info) {
                           return test_name(std::get<0>(info.param) + "_" +
                                            std::get<1>(info.param).name);
                         });

class NumericVjp : public ::testing::TestWithParam<OpCase> {};

TEST_P(NumericVjp, equals_that_of_ref) {
  const CaseGraph g = GetParam().build();
  if (!g.smooth) GTEST_SKIP() << "a kink is near";
  const NodeId node = subject(g);
  const auto program = prepare("ref", g, {.backward_from = {node}});
  run_from(*program, g, node);
  const Tensor u = drawn_cotangent(g, node);
  double magnitude = 0;
  const auto product = [&] {
    program->forward(kIteration);
    Tensor values;
    program->read(node, values);
    double sum = 0;
    magnitude = 0;
    for (std::size_t i = 0; i < u.count(); ++i) {
      const double term = double{values.data()[i]} * double{u.data()[i]};
      sum += term;
      magnitude += std::abs(term);
    }
    return sum;
  };
  for (const auto& [id, value] : g.inputs) {
    if (!std::get<Input>(g.graph.node(id).op).needs_grad) continue;
    run_from(*program, g, node);
    Tensor grad;
    program->read_input_grad(id, grad);
    Tensor d(value.shape());
    Random(6, g.graph.node(id).name).uniform(d.values(), 0.5f, 1.5f);
    double slope = 0, size = 0;
    for (std::size_t i = 0; i < d.count(); ++i) {
      if (grad.data()[i] < 0) d.data()[i] *= -1;  // else the slope drowns in rounding
      const double part = double{d.data()[i]} * double{grad.data()[i]};
      slope += part;
      size += std::abs(part);
    }
    const auto at = [&, id = id, &value = value](double steps) {
      Tensor moved = value;
      for (std::size_t i = 0; i < d.count(); ++i)
        moved.data()[i] += static_cast<float>(steps * kStep * double{d.data()[i]});
      program->set_input(id, moved);
      return product();
    };
    const double numeric = (8 * (at(0.5) - at(-0.5)) - (at(1) - at(-1))) / (6 * kStep);
    program->set_input(id, value);
    EXPECT_NEAR(slope, numeric, kNumericTolerance * size + kRounding * magnitude / kStep)
        << g.graph.node(id).name << "\n"
        << repro();
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, NumericVjp, ::testing::ValuesIn(op_cases()),
                         [](const auto& info) { return test_name(info.param.name); });

class VjpOf : public ::testing::TestWithParam<std::string> {
 protected:
  VjpOf() {
    x_ = graph_.add(Input{{1, 2, 4, 3}, true}, {}, "x");
    conv_ = graph_.add(Conv2d{3}, {x_}, "conv");
    act_ = graph_.add(Activation{}, {conv_}, "act");
    graph_.keep(act_);
  }
  std::unique_ptr<Program> compile(std::vector<NodeId> from) const {
    auto program = make_engine(GetParam())->compile(graph_, {.backward_from = std::move(from)});
    program->set_input(x_, Tensor({1, 2, 4, 3}, 0.5f));
    program->forward(0);
    return program;
  }
  Graph graph_;
  NodeId x_, conv_, act_;
};

TEST_P(VjpOf, a_graph_without_a_loss_needs_none) {
  const auto program = compile({act_});
  Tensor value, grad;
  program->read(act_, value);
  EXPECT_EQ(value.shape(), (Shape{1, 3, 4, 3}));
  program->backward(act_, Tensor({1, 3, 4, 3}, 1.f));
  program->read_input_grad(x_, grad);
  EXPECT_THAT(grad.values(), testing::Contains(testing::Ne(0.f)));
}

TEST_P(VjpOf, an_input_itself_is_its_cotangent) {
  const auto program = compile({x_, act_});
  Tensor u({1, 2, 4, 3}), grad;
  Random(1, "u").uniform(u.values(), -1.f, 1.f);
  program->backward(x_, u);
  program->read_input_grad(x_, grad);
  EXPECT_THAT(grad.values(), testing::ElementsAreArray(u.values()));
  for (const Tensor& g : program->param_grads()) EXPECT_THAT(g.values(), testing::Each(0.f));
}

TEST_P(VjpOf, the_loss_is_backward_times_the_number) {
  const NodeId y = graph_.add(Constant{std::make_shared<const Tensor>(Shape{1, 3, 4, 3}, 1.f)}, {});
  const NodeId loss = graph_.add(Mse{}, {act_, y}, "loss");
  graph_.set_loss(loss);
  const auto program = compile({});
  program->backward();
  const std::vector<Tensor> once = program->param_grads();
  program->forward(0);
  program->backward(loss, Tensor(Shape{}, 4.f));
  const std::vector<Tensor> fourfold = program->param_grads();
  for (std::size_t k = 0; k < once.size(); ++k)
    for (std::size_t i = 0; i < once[k].count(); ++i)
      EXPECT_EQ(fourfold[k].data()[i], 4.f * once[k].data()[i]);  // a power of two: exact
}

TEST_P(VjpOf, another_node_or_shape_is_refused_by_name) {
  const auto refusal = [&](NodeId node, const Shape& shape) {
    return error_text([&] { compile({act_})->backward(node, Tensor(shape)); },
                      ErrorCode::bad_argument);
  };
  EXPECT_THAT(refusal(conv_, {1, 3, 4, 3}), HasSubstr("backward_from"));
  EXPECT_THAT(refusal(act_, {1, 3, 3, 4}),
              HasSubstr("'act' is [1,3,4,3], its cotangent [1,3,3,4]"));
  EXPECT_THAT(error_text([&] { compile({NodeId{99}}); }, ErrorCode::bad_argument),
              HasSubstr("node 99"));
}

TEST_P(VjpOf, backward_wants_a_forward_of_its_own) {
  const auto program = compile({act_});
  const Tensor u({1, 3, 4, 3}, 1.f);
  program->backward(act_, u);
  EXPECT_THAT(error_text([&] { program->backward(act_, u); }, ErrorCode::bad_argument),
              HasSubstr("forward"));
}

INSTANTIATE_TEST_SUITE_P(Engines, VjpOf, ::testing::ValuesIn(engine_names()),
                         [](const auto& info) { return info.param; });

}  // namespace vjp_test
}  // namespace unmar::test
