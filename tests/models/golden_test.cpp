// The skip network and its training against fits done by PyTorch, on every engine.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>

#include "models/golden_fixture.h"
#include "unmar/engine/engine.h"

namespace unmar::test {
namespace golden_test {

constexpr float kTolerance = 1e-4f;  // relative
// A gradient passes every layer twice and sums over all pixels: allow it twice as much.
constexpr float kGradientTolerance = 2e-4f;

/// y and, where there is one, its mask go into the document as constants.
NodeId constant(Graph& graph, const Tensor& value) {
  return graph.add(Constant{std::make_shared<const Tensor>(value)}, {});
}

/// One fixture as a compiled program that starts where PyTorch started.
class GoldenFit : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    const auto& [engine_name, fixture_name] = GetParam();
    fixture_ = load_golden(fixture_name);
    z_ = graph_.add(Input{fixture_.tensor("z").shape()}, {}, "z");
    const Shape& z = fixture_.tensor("z").shape();
    out_ = write_network(graph_, z_, {z.n, fixture_.out_channels, z.h, z.w}, fixture_.network);
    graph_.keep(out_);
    graph_.set_loss(add_loss());

    program_ = make_engine(engine_name)
                   ->compile(graph_, {.threads = 2, .poison = true, .precision = Precision::fp32});
    program_->restore(start());
  }

  void set_input(std::int64_t iteration) {
    const Tensor z = fixture_.jittered_z(iteration);
    program_->set_input(z_, z);
  }

  GoldenFixture fixture_;
  Graph graph_;
  NodeId z_, out_;
  std::unique_ptr<Program> program_;

 private:
  NodeId add_loss() {
    NodeId observed = out_;
    if (fixture_.reduce_factor > 1)
      observed = graph_.add(
          Linear::reduce(graph_.shape(observed), ReduceKernel::lanczos2, fixture_.reduce_factor),
          {observed});
    NodeId y = constant(graph_, fixture_.tensor("y"));
    if (fixture_.has("mask")) {
      const NodeId mask = constant(graph_, fixture_.tensor("mask"));
      observed = graph_.add(Multiply{}, {observed, mask});
      y = graph_.add(Multiply{}, {y, mask});
    }
    return graph_.add(Mse{}, {observed, y});
  }

  TrainState start() const {
    TrainState state;
    for (const Param& param : graph_.params()) {
      state.params.push_back(fixture_.tensor("start/" + param.name));
      state.m.emplace_back(param.shape);
      state.v.emplace_back(param.shape);
    }
    return state;
  }
};

float largest_magnitude(const Tensor& tensor) {
  float largest = 0.f;
  for (const float value : tensor.values()) largest = std::max(largest, std::abs(value));
  return largest;
}

/// Every element within `tolerance` times the largest magnitude of `expected`.
testing::AssertionResult near(const Tensor& actual, const Tensor& expected, float tolerance) {
  if (actual.shape() != expected.shape())
    return testing::AssertionFailure() << "shape is " << to_string(actual.shape()) << ", should be "
                                       << to_string(expected.shape());
  const float scale = largest_magnitude(expected);
  if (scale == 0.f) return testing::AssertionFailure() << "all zero: the fixture proves nothing";
  std::size_t worst = 0;
  float worst_gap = 0.f;
  for (std::size_t i = 0; i < expected.count(); ++i) {
    const float gap = std::abs(actual.data()[i] - expected.data()[i]) / scale;
    if (gap > worst_gap || std::isnan(gap)) worst = i, worst_gap = gap;
    if (std::isnan(gap)) break;
  }
  if (worst_gap <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format(
             "element {} is {}, should be {}: off by {:.2g} of the largest magnitude, allowed {:g}",
             worst, actual.data()[worst], expected.data()[worst], worst_gap, tolerance);
}

TEST_P(GoldenFit, HasTheParametersOfPyTorch) {
  std::vector<std::string> expected, actual;
  for (const auto& [name, tensor] : fixture_.tensors)
    if (name.rfind("start/", 0) == 0)
      expected.push_back(name.substr(6) + " " + to_string(tensor.shape()));
  for (const Param& param : graph_.params())
    actual.push_back(param.name + " " + to_string(param.shape));
  EXPECT_THAT(actual, testing::UnorderedElementsAreArray(expected));
}

TEST_P(GoldenFit, FirstOutputEqualsPyTorch) {
  set_input(0);
  program_->forward(0);
  Tensor out;
  program_->read(out_, out);
  EXPECT_TRUE(near(out, fixture_.tensor("output"), kTolerance));
}

TEST_P(GoldenFit, FirstGradientsEqualPyTorch) {
  set_input(0);
  program_->forward(0);
  program_->backward();
  const std::vector<Tensor> grads = program_->param_grads();
  ASSERT_EQ(grads.size(), graph_.params().size());
  int compared = 0;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    const std::string& name = graph_.params()[i].name;
    if (!fixture_.has("grad/" + name)) continue;  // its true value is 0: rounding only
    EXPECT_TRUE(near(grads[i], fixture_.tensor("grad/" + name), kGradientTolerance)) << name;
    ++compared;
  }
  EXPECT_GT(compared, 10);
}

TEST_P(GoldenFit, LossesOfTwentyStepsEqualPyTorch) {
  const Adam adam{.lr = fixture_.learning_rate};
  ASSERT_EQ(fixture_.losses.size(), 20u);
  for (std::size_t i = 0; i < fixture_.losses.size(); ++i) {
    const auto iteration = static_cast<std::int64_t>(i);
    set_input(iteration);
    const float loss = program_->step(adam, iteration).value();
    ASSERT_NEAR(loss, fixture_.losses[i], kTolerance * fixture_.losses[i])
        << "iteration " << iteration;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenFit,
                         testing::Combine(testing::ValuesIn(engine_names()),
                                          testing::ValuesIn(golden_names())),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param);
                         });

}  // namespace golden_test
}  // namespace unmar::test
