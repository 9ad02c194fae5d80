// One forward and backward pass of each op and network against PyTorch, on every engine.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <tuple>

#include "models/pass_fixture.h"
#include "unmar/engine/engine.h"

namespace unmar::test {
namespace passes_test {

// Relative to the largest magnitude. make_golden_passes.py takes passes that float32 rounding moves
// by a quarter of that at most.
constexpr double kTolerance = 1e-4;
// A gradient passes every layer twice and sums over all pixels: allow it twice as much.
constexpr double kGradientTolerance = 2e-4;

class GoldenPass : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    fixture_ = load_pass(std::get<1>(GetParam()));
    for (const Given& given : fixture_.inputs)
      inputs_.push_back(graph_.add(Input{given.value.shape(), true}, {}, given.name));
    out_ = write();
    ASSERT_EQ(graph_.shape(out_), fixture_.target.shape());
    graph_.keep(out_);
    const NodeId target =
        graph_.add(Constant{std::make_shared<const Tensor>(fixture_.target)}, {}, "target");
    graph_.set_loss(graph_.add(Mse{}, {out_, target}, "loss"));
  }

  NodeId write() {
    if (fixture_.op) return graph_.add(*fixture_.op, inputs_, "op");
    if (fixture_.ddpm_unet)
      return write_ddpm_unet(graph_, inputs_[0], inputs_[1], *fixture_.ddpm_unet);
    if (fixture_.gan && fixture_.discriminator_parts > 0)
      return write_gan_discriminator(graph_, inputs_[0], *fixture_.gan, GanNorm::batch,
                                     fixture_.discriminator_parts);
    if (fixture_.gan)
      return write_gan_generator(graph_, inputs_[0], *fixture_.gan, NormStatistics::own);
    return write_network(graph_, inputs_[0], fixture_.picture, *fixture_.network);
  }

  /// Names and shapes, sorted.
  void expect_the_parameters_of_pytorch() const {
    std::vector<std::string> expected, actual;
    for (const Given& given : fixture_.params)
      expected.push_back(given.name + " " + to_string(given.value.shape()));
    for (const Param& param : graph_.params())
      actual.push_back(param.name + " " + to_string(param.shape));
    ASSERT_THAT(actual, testing::UnorderedElementsAreArray(expected));
    const auto count = [](std::size_t sum, const Given& g) { return sum + g.value.count(); };
    EXPECT_EQ(graph_.param_count(), std::accumulate(fixture_.params.begin(), fixture_.params.end(),
                                                    std::size_t{0}, count));
  }

  const Given& param(const std::string& name) const {
    return *std::find_if(fixture_.params.begin(), fixture_.params.end(),
                         [&](const Given& given) { return given.name == name; });
  }

  std::unique_ptr<Program> compile() const {
    auto program =
        make_engine(std::get<0>(GetParam()))
            ->compile(graph_,
                      CompileOptions{.threads = 2, .poison = true, .precision = Precision::fp32});
    TrainState state;
    for (const Param& p : graph_.params()) {
      state.params.push_back(param(p.name).value);
      state.m.emplace_back(p.shape);
      state.v.emplace_back(p.shape);
    }
    program->restore(state);
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      program->set_input(inputs_[i], fixture_.inputs[i].value);
    return program;
  }

  PassFixture fixture_;
  Graph graph_;
  std::vector<NodeId> inputs_;
  NodeId out_;
};

double largest_magnitude(const Tensor& tensor) {
  double largest = 0;
  for (const float v : tensor.values())
    largest = std::isnan(v) ? std::nan("") : std::max(largest, double{std::abs(v)});
  return largest;
}

TEST_P(GoldenPass, EqualsPyTorch) {
  if (fixture_.network) {
    const Shape& z = fixture_.inputs[0].value.shape();
    EXPECT_EQ(network_input_size(fixture_.picture, *fixture_.network), (Size{z.h, z.w}));
  }
  expect_the_parameters_of_pytorch();
  if (HasFatalFailure()) return;
  // Which ops an engine may lack, Missing in tests/engine says.
  if (!make_engine(std::get<0>(GetParam()))->missing(graph_).empty()) return;
  const auto program = compile();
  program->forward(0);
  Tensor value;
  program->read(out_, value);
  EXPECT_EQ(difference(value, fixture_.output, kTolerance), "") << "output";
  EXPECT_NEAR(program->loss(), fixture_.loss, kTolerance * fixture_.loss);

  program->backward();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Given& given = fixture_.inputs[i];
    program->read_input_grad(inputs_[i], value);
    ASSERT_TRUE(given.gradient) << given.name;
    EXPECT_EQ(difference(value, *given.gradient, kGradientTolerance), "") << given.name;
  }
  const std::vector<Tensor> grads = program->param_grads();
  ASSERT_EQ(grads.size(), graph_.params().size());
  double largest = 0;
  for (const Tensor& grad : grads) largest = std::max(largest, largest_magnitude(grad));
  for (std::size_t i = 0; i < grads.size(); ++i) {
    const Given& given = param(graph_.params()[i].name);
    if (given.gradient)
      EXPECT_EQ(difference(grads[i], *given.gradient, kGradientTolerance), "") << given.name;
    else
      EXPECT_LE(largest_magnitude(grads[i]), kGradientTolerance * largest) << given.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenPass,
                         testing::Combine(testing::ValuesIn(engine_names()),
                                          testing::ValuesIn(pass_names())),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param);
                         });

}  // namespace passes_test
}  // namespace unmar::test
