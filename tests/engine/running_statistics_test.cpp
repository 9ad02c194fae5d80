#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "unmar/engine/engine.h"

namespace unmar {
namespace running_statistics_test {

constexpr Shape kShape{2, 2, 1, 2};
const std::vector<float> kFirst{1, 2, 3, 4, -2, 0, 1, 5}, kSecond{.5f, -1, 2, 8, 3, 1.5f, -4, 0};

/// x, a norm of its own, and their distance from 0 as the loss.
struct Case {
  Graph graph;
  NodeId x, norm;
  std::unique_ptr<Program> program;

  Case(const std::string& engine, NormStatistics statistics, const CompileOptions& options = {}) {
    x = graph.add(Input{kShape}, {}, "x");
    norm = graph.add(Norm{.statistics = statistics, .momentum = 0.25f}, {x}, "norm");
    graph.keep(norm);
    const NodeId zero =
        graph.add(Constant{std::make_shared<const Tensor>(kShape, 0.f)}, {}, "zero");
    graph.set_loss(graph.add(Mse{}, {norm, zero}, "loss"));
    program = make_engine(engine)->compile(graph, options);
  }
  void set(const std::vector<float>& values) const {
    program->set_input(x, {values.data(), kShape});
  }
  float step(const std::vector<float>& values) const {
    set(values);
    return program->step({.lr = 0.f}, 0).value();
  }
};

void expect_near(const Tensor& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.count(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual.data()[i], expected[i], 1e-5) << i;
}

class RunningStatistics : public ::testing::TestWithParam<std::string> {};

// The numbers are those of torch.nn.BatchNorm2d(2, momentum=0.25) behind the same two batches, and
// of its evaluation mode.
TEST_P(RunningStatistics, are_those_of_pytorch) {
  const Case trained(GetParam(), NormStatistics::tracked);
  trained.step(kFirst);
  expect_near(trained.program->state().params[2], {0.0625f, 0.8125f});
  expect_near(trained.program->state().params[3], {1.4791667f, 1.4791667f});
  trained.step(kSecond);
  const TrainState state = trained.program->state();
  expect_near(state.params[2], {0.2968750f, 0.9843750f});
  expect_near(state.params[3], {1.8177083f, 7.3593750f});

  const Case used(GetParam(), NormStatistics::fixed);
  used.program->restore(state);
  used.set(kFirst);
  used.program->forward(0);
  Tensor value;
  used.program->read(used.norm, value);
  expect_near(value, {0.52151787f, 1.26323223f, 0.74300027f, 1.11162066f, -1.7036252f, -0.22019646f,
                      0.00575969f, 1.48024094f});
  used.step(kSecond);
  expect_near(used.program->state().params[2], {0.2968750f, 0.9843750f});
}

TEST_P(RunningStatistics, stand_still_in_a_forward_and_in_a_step_that_does_not_update) {
  const Case trained(GetParam(), NormStatistics::tracked);
  trained.step(kFirst);
  trained.set(kSecond);
  trained.program->forward(0);
  trained.program->backward();
  std::vector<float> broken = kSecond;
  broken[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(std::isfinite(trained.step(broken)));
  expect_near(trained.program->state().params[2], {0.0625f, 0.8125f});
  expect_near(trained.program->state().params[3], {1.4791667f, 1.4791667f});
}

TEST_P(RunningStatistics, are_averaged_as_the_other_parameters) {
  const Case trained(GetParam(), NormStatistics::tracked, {.ema_decay = 0.5f});
  trained.step(kFirst);
  trained.step(kSecond);
  expect_near(trained.program->state().averages[2],
              {(0.0625f + 0.296875f) / 2, (0.8125f + 0.984375f) / 2});
}

INSTANTIATE_TEST_SUITE_P(Engines, RunningStatistics, ::testing::Values("ref", "cpu"),
                         [](const auto& info) { return info.param; });

}  // namespace running_statistics_test
}  // namespace unmar
