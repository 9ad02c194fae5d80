#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "unmar/base/error.h"
#include "unmar/base/random.h"
#include "unmar/fit/stages.h"
#include "unmar/fit/stop.h"
#include "unmar/observe/observe.h"

// Stoppers that judge by the observation have to compare it with A x, not with x. Where A changes x
// but keeps its size, no shape tells them apart.

namespace unmar {
namespace stop_operator_test {

const Shape kPicture{1, 3, 24, 16};
constexpr float kSigma = 0.05f;
constexpr int kIterations = 6;

/// Halves and enlarges again: the picture keeps its size and loses its detail.
class Smoothing final : public Operator {
 public:
  std::string describe() const override { return "smoothing"; }
  Shape output_shape(const Shape& x) const override { return x; }
  NodeId write(Graph& graph, NodeId x) const override {
    const Shape s = graph.shape(x);
    const NodeId half = graph.add(Linear::reduce(graph.shape(x), ReduceKernel::box, 2), {x});
    return graph.add(Linear::resize(graph.shape(half), ResizeKind::bilinear, s.h, s.w), {half});
  }
};

/// A picture, an operator, and what is observed.
struct Scene {
  explicit Scene(std::unique_ptr<Operator> damage) : A(std::move(damage)), y(kPicture) {
    Random(4, "clean").uniform(y.values(), 0.f, 1.f);
    y = apply(*A, y);
    Tensor noise(y.shape());
    Random(4, "noise").normal(noise.values(), 0.f, kSigma);
    for (std::size_t i = 0; i < y.count(); ++i) y.data()[i] += noise.data()[i];
    hidden = hide_values(y.shape(), {}, {.fraction = 0.1});
    targets = std::make_unique<StagedTargets>(
        *A, y, StageOptions{.stages = 3, .iterations = kIterations, .noise = 0.2});
  }

  Problem problem(const std::function<void(ProblemOptions&)>& more = {}) const {
    ProblemOptions options;
    options.network = SkipOptions{.down = {4, 4}, .up = {4, 4}, .skip = {2, 2}};
    options.input_channels = 3;
    if (more) more(options);
    return make_problem(y, kPicture, *A, options);
  }

  std::unique_ptr<Operator> A;
  Tensor y, hidden;
  std::unique_ptr<StagedTargets> targets;
};

FitOptions short_fit() {
  FitOptions options;
  options.iterations = kIterations;
  options.average = 0;
  options.rollback_db = 0;
  return options;
}

struct Rule {
  const char* name;
  std::function<std::unique_ptr<Stopper>(const Scene&)> make;
  bool staged = false;
};
void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.name; }

const ValleyOptions kValley{.average = 0.5f};
std::unique_ptr<Stopper> held_out(const Scene& s) {
  return make_held_out(s.y, s.hidden, LossKind::mse, kValley);
}
std::unique_ptr<Stopper> self_reference(const Scene& s) {
  return make_self_reference(s.y, {}, kValley);
}
const Rule kRules[] = {
    {"discrepancy", [](const Scene& s) { return make_discrepancy(s.y, {}, kSigma); }},
    {"held_out", held_out},
    {"self_reference", self_reference},
    {"both", [](const Scene& s) { return make_auto(held_out(s), self_reference(s), 3, kValley); }},
    {"stages", [](const Scene& s) { return make_stage_risk(*s.targets, s.y, kSigma); }, true},
};

class JudgesAx : public ::testing::TestWithParam<Rule> {
 protected:
  /// Compares what the rule says in a fit with what it says when it is given A x alone.
  void check(const Scene& scene) {
    const auto engine = make_engine("ref");  // apply() is computed by it, too: the same bits
    FitOptions options = short_fit();
    if (GetParam().staged) options.stages = scene.targets.get();
    const Problem problem = scene.problem([&](ProblemOptions& o) {
      o.hidden = scene.hidden;
      if (options.stages) options.stages->ask(o);
    });
    const auto stopper = GetParam().make(scene), expected = GetParam().make(scene);
    int compared = 0;
    fit(problem, *engine, options, *stopper, nullptr, [&](const FitProgress& progress) {
      const Tensor Ax = apply(*scene.A, progress.restored);
      expected->observe({progress.row.iteration, progress.row.loss, Ax, Ax});
      EXPECT_EQ(progress.row.signal, expected->signal()) << progress.row.iteration;
      if (expected->signal()) ++compared;
    });
    EXPECT_GT(compared, 1);
  }
};

TEST_P(JudgesAx, UnderAnOperatorThatKeepsTheSize) { check(Scene(std::make_unique<Smoothing>())); }

TEST_P(JudgesAx, UnderAnOperatorThatDoesNot) {
  check(Scene(make_reduction(ReduceKernel::lanczos2, 2)));
}

INSTANTIATE_TEST_SUITE_P(Rules, JudgesAx, ::testing::ValuesIn(kRules),
                         [](const auto& info) { return std::string(info.param.name); });

/// Writes down what it is shown.
class Recorder final : public Stopper {
 public:
  std::string name() const override { return "recorder"; }
  bool wants_probe(int) const override { return true; }
  void probe(const Tensor& Ax_without_jitter, const Tensor& jittered_input) override {
    plain = Ax_without_jitter;
    input = jittered_input;
  }
  Verdict observe(const Iterate& iterate) override {
    same_tensor = &iterate.x == &iterate.Ax;
    x = iterate.x;
    Ax = iterate.Ax;
    return {false, true};
  }
  void rewind(int) override {}

  Tensor plain, input, x, Ax;
  bool same_tensor = false;
};

TEST(FitUnderAnOperator, ProbesWithAxAsSureNeedsIt) {
  const Scene scene(std::make_unique<Smoothing>());
  const Problem problem = scene.problem([&](ProblemOptions& o) {
    o.input = InputKind::observed;
    o.picture = scene.y;
    o.keep_input = true;
  });
  const auto engine = make_engine("ref");
  const auto program = engine->compile(problem.graph, {});
  Tensor plain;
  program->forward(0, false);
  program->read(problem.restored, plain);

  Recorder recorder;
  const auto sure = make_sure(scene.y, {.sigma = kSigma});
  FitOptions options = short_fit();
  options.iterations = 1;
  options.watchers = {{"recorder", &recorder}};
  const FitResult result = fit(problem, *engine, options, *sure);

  const Tensor Ax = apply(*scene.A, plain);
  EXPECT_TRUE(std::equal(Ax.data(), Ax.data() + Ax.count(), recorder.plain.data()));
  const auto expected = make_sure(scene.y, {.sigma = kSigma});
  const Tensor jittered = apply(*scene.A, recorder.x);
  expected->probe(Ax, recorder.input);
  expected->observe({0, 0.f, jittered, jittered});
  EXPECT_EQ(result.history[0].signal, expected->signal());
}

TEST(FitUnderAnOperator, ShowsVarianceStoppersTheRestoredPicture) {
  const Scene scene(std::make_unique<Smoothing>());
  const VarianceOptions options{.window = 2};
  const Tensor nothing;
  for (const auto make : {make_windowed_variance, make_moving_variance}) {
    const auto stopper = make(options), expected = make(options);
    fit(scene.problem(), *make_engine(), short_fit(), *stopper, nullptr,
        [&](const FitProgress& progress) {
          expected->observe({progress.row.iteration, 0.f, progress.restored, nothing});
          EXPECT_EQ(progress.row.signal, expected->signal());
        });
  }
}

TEST(FitUnderAnOperator, ReadsThePictureOnceWhereNothingChangesIt) {
  for (const bool masked : {false, true}) {
    const Scene scene(masked ? make_mask(Tensor({1, 1, kPicture.h, kPicture.w}, 0.5f))
                             : make_identity());
    const Problem problem = scene.problem();
    EXPECT_EQ(problem.predicted, problem.restored);
    Recorder recorder;
    fit(problem, *make_engine(), short_fit(), recorder);
    EXPECT_TRUE(recorder.same_tensor);
  }
}

TEST(FitUnderAnOperator, RefusesAProblemThatPredictsNothing) {
  Problem problem = Scene(make_identity()).problem();
  problem.predicted = {};
  EXPECT_THROW(fit(problem, *make_engine(), short_fit(), *make_fixed_count()), Error);
}

}  // namespace stop_operator_test
}  // namespace unmar
