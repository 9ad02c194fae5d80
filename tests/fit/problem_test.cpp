#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "error_text.h"
#include "unmar/base/error.h"
#include "unmar/base/random.h"
#include "unmar/fit/fit.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace problem_test {

using test::error_text;
using testing::HasSubstr;

// A mean over a hundred float values, computed in float or double.
constexpr double kFloatRounding = 1e-5;

ProblemOptions tiny() {
  ProblemOptions options;
  options.network = SkipOptions{.down = {4, 4}, .up = {4, 4}, .skip = {2, 2}};
  options.input_channels = 3;
  options.seed = 9;
  return options;
}

Tensor drawn(const Shape& shape) {
  Tensor t(shape);
  Random(3, "y").uniform(t.values(), 0.f, 1.f);
  return t;
}

const Node* find(const Graph& graph, std::string_view name) {
  for (const Node& node : graph.nodes())
    if (node.name == name) return &node;
  return nullptr;
}

const Tensor& value_of(const Graph& graph, std::string_view name) {
  return *std::get<Constant>(find(graph, name)->op).value;
}

struct Evaluated {
  Tensor restored;
  float loss = 0, fidelity = 0;
};
Evaluated evaluate(const Problem& problem) {
  const auto program = make_engine("ref")->compile(problem.graph, {});
  program->forward(0);
  Evaluated result;
  program->read(problem.restored, result.restored);
  Tensor fidelity;
  program->read(problem.fidelity, fidelity);
  result.fidelity = fidelity.data()[0];
  result.loss = program->loss();
  return result;
}

Problem denoising(const Shape& shape, const ProblemOptions& options) {
  return make_problem(drawn(shape), shape, *make_identity(), options);
}

TEST(Problem, DrawsUniformZFromTheSeedByName) {
  const Problem problem = denoising({1, 1, 12, 10}, tiny());
  Tensor expected({1, 3, 12, 10});
  Random(9, "z").uniform(expected.values(), 0.f, 0.1f);
  const Tensor& z = value_of(problem.graph, "z");
  EXPECT_EQ(z.shape(), expected.shape());
  EXPECT_THAT(z.values(), testing::ElementsAreArray(expected.values()));
}

TEST(Problem, DrawsNormalZWithSigmaOneTenth) {
  ProblemOptions options = tiny();
  options.input = InputKind::normal;
  Tensor expected({1, 3, 12, 10});
  Random(9, "z").normal(expected.values(), 0.f, 0.1f);
  EXPECT_THAT(value_of(denoising({1, 1, 12, 10}, options).graph, "z").values(),
              testing::ElementsAreArray(expected.values()));
}

TEST(Problem, MeshgridRunsFromZeroToOneAlongWidthThenHeight) {
  ProblemOptions options = tiny();
  options.input = InputKind::meshgrid;
  options.input_channels = 0;  // not used
  const Problem problem = denoising({1, 1, 12, 9}, options);
  const Tensor& z = value_of(problem.graph, "z");
  ASSERT_EQ(z.shape(), (Shape{1, 2, 12, 9}));
  EXPECT_EQ(z.at(0, 0, 5, 0), 0.f);
  EXPECT_EQ(z.at(0, 0, 5, 4), 0.5f);
  EXPECT_EQ(z.at(0, 0, 5, 8), 1.f);
  EXPECT_EQ(z.at(0, 1, 0, 5), 0.f);
  EXPECT_EQ(z.at(0, 1, 11, 5), 1.f);
}

TEST(Problem, JittersZOnlyIfAsked) {
  ProblemOptions options = tiny();
  options.reg_noise_std = 0.25f;
  const Problem with = denoising({1, 1, 12, 10}, options);
  ASSERT_NE(find(with.graph, "z.jitter"), nullptr);
  EXPECT_EQ(std::get<Jitter>(find(with.graph, "z.jitter")->op).sigma, 0.25f);
  options.reg_noise_std = 0.f;
  EXPECT_EQ(find(denoising({1, 1, 12, 10}, options).graph, "z.jitter"), nullptr);
}

TEST(Problem, RestoresAnySizeEvenBelowWhatTheNetworkNeeds) {
  ProblemOptions options = tiny();
  for (const int zero_skip : {0, 1}) {
    if (zero_skip) std::get<SkipOptions>(options.network).skip = {0, 2};
    for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{1, 3, 2, 17}, Shape{1, 4, 13, 7}}) {
      const Problem problem = denoising(shape, options);
      EXPECT_EQ(problem.graph.shape(problem.restored), shape);
      EXPECT_TRUE(problem.graph.kept(problem.restored));
      const Evaluated e = evaluate(problem);
      EXPECT_TRUE(std::isfinite(e.loss)) << to_string(shape);
    }
  }
}

TEST(Problem, TakesABatch) {
  const Problem problem = denoising({2, 3, 12, 10}, tiny());
  EXPECT_EQ(problem.graph.shape(problem.restored), (Shape{2, 3, 12, 10}));
  const Tensor& z = value_of(problem.graph, "z");
  EXPECT_NE(z.at(0, 0, 0, 0), z.at(1, 0, 0, 0));
}

TEST(Problem, LossIsTheMeanSquareOverAllElements) {
  const Shape shape{1, 3, 10, 11};
  const Evaluated e = evaluate(denoising(shape, tiny()));
  const Tensor y = drawn(shape);
  double sum = 0;
  for (std::size_t i = 0; i < y.count(); ++i)
    sum += std::pow(static_cast<double>(e.restored.data()[i] - y.data()[i]), 2);
  const double expected = sum / static_cast<double>(y.count());
  EXPECT_NEAR(e.loss, expected, kFloatRounding * expected);
  EXPECT_EQ(e.fidelity, e.loss);
}

TEST(Problem, LossOfAMaskHidesMissingPixelsAndStillDividesByAll) {
  const Shape shape{1, 3, 10, 11};
  Tensor mask({1, 1, 10, 11});
  Random(5, "mask").bernoulli(mask.values(), 0.4f);
  Tensor y = drawn(shape);
  const Tensor whole = y;
  for (std::size_t i = 0; i < y.count(); ++i)
    if (mask.data()[i % 110] == 0.f) y.data()[i] = std::numeric_limits<float>::quiet_NaN();
  const Evaluated e = evaluate(make_problem(y, shape, *make_mask(mask), tiny()));
  double sum = 0;
  for (std::size_t i = 0; i < y.count(); ++i)
    sum += static_cast<double>(mask.data()[i % 110]) *
           std::pow(static_cast<double>(e.restored.data()[i] - whole.data()[i]), 2);
  const double expected = sum / static_cast<double>(y.count());
  EXPECT_NEAR(e.loss, expected, kFloatRounding * expected);
}

TEST(Problem, LossDoesNotSeeHiddenValues) {
  const Shape shape{1, 3, 10, 11};
  const Tensor y = drawn(shape);
  ProblemOptions options = tiny();
  options.hidden = Tensor(shape);
  Random(5, "hidden").bernoulli(options.hidden.values(), 0.4f);
  const Evaluated e = evaluate(make_problem(y, shape, *make_identity(), options));
  double sum = 0;
  for (std::size_t i = 0; i < y.count(); ++i)
    if (options.hidden.data()[i] == 0.f)
      sum += std::pow(static_cast<double>(e.restored.data()[i] - y.data()[i]), 2);
  const double expected = sum / static_cast<double>(y.count());
  EXPECT_NEAR(e.loss, expected, kFloatRounding * expected);
}

TEST(Problem, KeepsTheJitteredInputOnlyIfAsked) {
  ProblemOptions options = tiny();
  EXPECT_FALSE(denoising({1, 1, 12, 10}, options).input);
  options.keep_input = true;
  const Problem problem = denoising({1, 1, 12, 10}, options);
  ASSERT_TRUE(problem.input);
  EXPECT_EQ(problem.graph.node(*problem.input).name, "z.jitter");
  const auto program = make_engine("ref")->compile(problem.graph, {});
  program->forward(0);
  Tensor z;
  program->read(*problem.input, z);
  EXPECT_FALSE(std::ranges::equal(z.values(), value_of(problem.graph, "z").values()));
}

TEST(Problem, NamesHiddenValuesThatDoNotFitAndAnInputWithoutJitter) {
  const Shape shape{1, 1, 12, 10};
  ProblemOptions options = tiny();
  options.hidden = Tensor({1, 1, 12, 11});
  EXPECT_THAT(
      error_text([&] { denoising(shape, options); }),
      HasSubstr("the hidden values are given as [1,1,12,11], the observation is [1,1,12,10]"));
  options = tiny();
  options.keep_input = true;
  options.reg_noise_std = 0.f;
  EXPECT_THAT(error_text([&] { denoising(shape, options); }), HasSubstr("keep_input needs jitter"));
}

TEST(Problem, LossOfAReductionComparesTheReducedPicture) {
  const auto A = make_reduction(ReduceKernel::lanczos2, 2);
  const Tensor y = drawn({1, 1, 6, 5});
  const Evaluated e = evaluate(make_problem(y, {1, 1, 12, 10}, *A, tiny()));
  const Tensor reduced = apply(*A, e.restored);
  double sum = 0;
  for (std::size_t i = 0; i < y.count(); ++i)
    sum += std::pow(static_cast<double>(reduced.data()[i] - y.data()[i]), 2);
  EXPECT_NEAR(e.loss, sum / 30, kFloatRounding * sum / 30);
}

TEST(Problem, L1LossIsTheMeanDistance) {
  const Shape shape{1, 3, 10, 11};
  ProblemOptions options = tiny();
  options.loss = LossKind::l1;
  const Evaluated e = evaluate(denoising(shape, options));
  const Tensor y = drawn(shape);
  double sum = 0;
  for (std::size_t i = 0; i < y.count(); ++i)
    sum += std::abs(static_cast<double>(e.restored.data()[i] - y.data()[i]));
  const double expected = sum / static_cast<double>(y.count());
  EXPECT_NEAR(e.loss, expected, kFloatRounding * expected);
}

TEST(Problem, AddsTheWeightedVariationOfTheRestoredPicture) {
  const Shape shape{1, 1, 10, 11};
  ProblemOptions options = tiny();
  options.tv_weight = 2.f;
  const Evaluated e = evaluate(denoising(shape, options));
  double variation = 0;
  for (int row = 0; row < 9; ++row)
    for (int col = 0; col < 10; ++col) {
      const auto v = static_cast<double>(e.restored.at(0, 0, row, col));
      variation += std::hypot(static_cast<double>(e.restored.at(0, 0, row + 1, col)) - v,
                              static_cast<double>(e.restored.at(0, 0, row, col + 1)) - v);
    }
  variation /= 90;
  ASSERT_GT(variation, 1e-3) << "proves nothing";
  // The op's eps of 1e-8 below the root adds 1e-4 at most, where the picture is flat.
  EXPECT_NEAR(e.loss - e.fidelity, 2 * variation, 2e-4);
  EXPECT_EQ(e.fidelity, evaluate(denoising(shape, tiny())).loss);
}

bool learns(const Problem& problem, std::string_view name) {
  for (const Param& param : problem.graph.params())
    if (param.name == name) return !param.frozen;
  return false;
}

TEST(Problem, LearnsWhatItIsTold) {
  const auto with = [](Optimise optimise) {
    ProblemOptions options = tiny();
    options.optimise = optimise;
    return denoising({1, 1, 12, 10}, options);
  };
  struct Row {
    Optimise optimise;
    bool input, weights, norms;
  };
  for (const Row& row :
       {Row{Optimise::weights, false, true, true},
        Row{Optimise::weights_and_input, true, true, true},
        Row{Optimise::input, true, false, false}, Row{Optimise::norms, false, false, true},
        Row{Optimise::norms_and_input, true, false, true}}) {
    const Problem problem = with(row.optimise);
    EXPECT_EQ(learns(problem, "z.value"), row.input);
    EXPECT_EQ(learns(problem, "scale0.up.conv.weight"), row.weights);
    EXPECT_EQ(learns(problem, "scale0.up.conv.bias"), row.weights);
    EXPECT_EQ(learns(problem, "scale0.up.norm.gamma"), row.norms);
  }
}

TEST(Problem, RefusesToLearnNormsThatAreNotThere) {
  ProblemOptions options = tiny();
  options.optimise = Optimise::norms;
  options.network = PlainOptions{.layers = 1, .channels = 4, .norm = NetworkNorm::none};
  EXPECT_THAT(error_text([&] {
                denoising({1, 1, 12, 10}, options);
              }),
              HasSubstr("the network has no norms"));
}

std::string error_of(const Tensor& y, const Shape& x_shape, const Operator& A,
                     const ProblemOptions& options = tiny()) {
  try {
    make_problem(y, x_shape, A, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Problem, NamesAnObservationThatDoesNotFit) {
  EXPECT_EQ(error_of(Tensor({1, 1, 8, 8}), {1, 1, 12, 12}, *make_reduction(ReduceKernel::box, 2)),
            "problem: box reduction by 2 of a [1,1,12,12] picture gives [1,1,6,6], but the "
            "observation is [1,1,8,8]");
  EXPECT_THAT(error_of(Tensor({1, 1, 8, 8}), {1, 1, 8, 8}, *make_mask(Tensor({1, 1, 4, 4}, 1.f))),
              HasSubstr("mask: is 4x4 but the picture is 8x8"));
}

TEST(Problem, RefusesKnownValuesThatAreNotFinite) {
  Tensor y({1, 1, 8, 8}, 0.5f);
  y.data()[13] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(error_of(y, {1, 1, 8, 8}, *make_identity()),
              HasSubstr("the observation holds inf; mask such pixels"));
}

TEST(Problem, NamesOptionsOutOfRange) {
  const Tensor y({1, 1, 8, 8}, 0.5f);
  const auto with = [&](auto change) {
    ProblemOptions options = tiny();
    change(options);
    return error_of(y, {1, 1, 8, 8}, *make_identity(), options);
  };
  EXPECT_EQ(with([](auto&) {}), "no error");
  EXPECT_EQ(with([](auto& o) { o.input_channels = 0; }),
            "problem: input_channels must be at least 1, got 0");
  EXPECT_THAT(with([](auto& o) { o.reg_noise_std = -1.f; }), HasSubstr("reg_noise_std"));
  EXPECT_THAT(with([](auto& o) { o.tv_weight = std::nanf(""); }), HasSubstr("tv_weight"));
}

}  // namespace problem_test
}  // namespace unmar
