#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <utility>

#include "fit/fake_engine.h"
#include "unmar/base/error.h"
#include "unmar/base/random.h"
#include "unmar/fit/fit.h"

/// The loop with an engine that computes an iteration while the one before is judged.
namespace unmar {
namespace async_test {

using testing::ElementsAre;
using testing::HasSubstr;

/// What happened, in order.
using Events = std::vector<std::string>;

/// Runs each step of another program at once, in a thread of its own, and withholds its outcome
/// until it is asked for.
class AsyncProgram final : public Program {
 public:
  AsyncProgram(const Graph& graph, std::unique_ptr<Program> inner, Events& events)
      : graph_(graph), inner_(std::move(inner)), events_(events) {
    state_ = inner_->state();
  }

  bool asynchronous() const override { return true; }
  void start_step(const Adam& adam, std::int64_t iteration,
                  const std::stop_token& cancel) override {
    events_.push_back("start " + std::to_string(iteration));
    running_ = std::async(std::launch::async, [this, adam, iteration, cancel] {
      return inner_->step(adam, iteration, cancel);
    });
  }
  std::optional<float> finish_step() override {
    events_.emplace_back("finish");
    const std::optional<float> loss = running_.get();
    if (loss) remember();
    return loss;
  }
  void drop_step() override {
    events_.emplace_back("drop");
    running_.get();
    inner_->restore(state_);
  }

  void set_input(NodeId id, TensorView value) override { inner_->set_input(id, value); }
  bool forward(std::int64_t iteration, bool jitter, const std::stop_token& cancel) override {
    EXPECT_FALSE(running_.valid());
    const bool whole = inner_->forward(iteration, jitter, cancel);
    remember();
    return whole;
  }
  void backward() override { inner_->backward(); }
  void backward(NodeId id, TensorView cotangent) override { inner_->backward(id, cotangent); }
  std::optional<float> step(const Adam& adam, std::int64_t iteration,
                            const std::stop_token& cancel) override {
    start_step(adam, iteration, cancel);
    return finish_step();
  }
  float loss() const override { return loss_; }
  void read(NodeId id, Tensor& dst) const override { dst = kept_.at(id.index); }
  void read_input_grad(NodeId id, Tensor& dst) const override { inner_->read_input_grad(id, dst); }
  std::vector<Tensor> param_grads() const override { return inner_->param_grads(); }
  TrainState state() const override { return state_; }
  void restore(const TrainState& state) override {
    EXPECT_FALSE(running_.valid()) << "the step that runs ahead is to be dropped first";
    inner_->restore(state);
    state_ = state;
  }
  std::size_t memory_bytes() const override { return inner_->memory_bytes(); }

 private:
  void remember() {
    state_ = inner_->state();
    for (int i = 0; i < static_cast<int>(graph_.nodes().size()); ++i)
      if (graph_.kept({i})) inner_->read({i}, kept_[i]);
    loss_ = inner_->loss();
  }

  Graph graph_;
  std::unique_ptr<Program> inner_;
  Events& events_;
  std::future<std::optional<float>> running_;
  TrainState state_;
  std::map<int, Tensor> kept_;
  float loss_ = 0;
};

/// Another engine, asynchronous.
class AsyncEngine final : public Engine {
 public:
  explicit AsyncEngine(Engine& inner) : inner_(inner) {}
  EngineInfo info() const override { return inner_.info(); }
  std::vector<DeviceInfo> devices() const override { return inner_.devices(); }
  std::vector<std::string> missing(const Graph&) const override { return {}; }
  std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) override {
    return std::make_unique<AsyncProgram>(graph, inner_.compile(graph, options), events);
  }
  Events events;

 private:
  Engine& inner_;
};

FitOptions plain(int iterations) {
  FitOptions options;
  options.iterations = iterations;
  options.average = 0.5f;
  options.return_state = options.return_chosen_state = true;
  options.rollback_every = 3;
  return options;
}

void expect_same(const FitResult& a, const FitResult& b) {
  const auto same = [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && std::ranges::equal(x.values(), y.values());
  };
  EXPECT_TRUE(same(a.best, b.best));
  EXPECT_TRUE(same(a.last, b.last));
  EXPECT_EQ(a.best_iteration, b.best_iteration);
  EXPECT_EQ(a.iterations, b.iterations);
  EXPECT_EQ(a.rollbacks, b.rollbacks);
  EXPECT_EQ(a.stopped_by, b.stopped_by);
  ASSERT_EQ(a.history.size(), b.history.size());
  for (std::size_t i = 0; i < a.history.size(); ++i)
    EXPECT_EQ(a.history[i].loss, b.history[i].loss);
  for (const auto& [x, y] : {std::pair(&a.state, &b.state), {&a.chosen_state, &b.chosen_state}}) {
    EXPECT_EQ(x->updates, y->updates);
    ASSERT_EQ(x->params.size(), y->params.size());
    for (std::size_t k = 0; k < x->params.size(); ++k) {
      EXPECT_TRUE(same(x->params[k], y->params[k])) << k;
      EXPECT_TRUE(same(x->v[k], y->v[k])) << k;
    }
  }
}

TEST(Async, TheNextIterationRunsWhileOneIsJudged) {
  FakeEngine fake;
  AsyncEngine engine(fake);
  const auto stopper = make_fixed_count();
  fit(fake_problem(fake.script.picture), engine, plain(3), *stopper, nullptr,
      [&](const FitProgress& p) {
        engine.events.push_back("told " + std::to_string(p.row.iteration));
      });
  EXPECT_THAT(engine.events, ElementsAre("start 0", "finish", "start 1", "told 0", "finish",
                                         "start 2", "told 1", "finish", "told 2"));
}

TEST(Async, AStopDropsTheIterationThatRunsAhead) {
  FakeEngine fake, plain_fake;
  AsyncEngine engine(fake);
  ScriptedStopper stopper, same;
  stopper.best = same.best = {1, 3};
  stopper.stop_at = same.stop_at = 3;
  const FitResult result = fit(fake_problem(fake.script.picture), engine, plain(9), stopper);
  EXPECT_EQ(result.iterations, 4);
  EXPECT_EQ(result.state.updates, 4);
  EXPECT_EQ(engine.events.back(), "drop");
  expect_same(fit(fake_problem(fake.script.picture), plain_fake, plain(9), same), result);
}

TEST(Async, ASpikeDropsTheIterationThatRunsAhead) {
  const Script script{.loss = [](int i, int) { return i == 5 || i == 9 ? 9.f : 0.1f; }};
  FakeEngine fake(script), plain_fake(script);
  AsyncEngine engine(fake);
  const auto stopper = make_fixed_count(), same = make_fixed_count();
  const FitResult result = fit(fake_problem(fake.script.picture), engine, plain(12), *stopper);
  EXPECT_EQ(result.rollbacks, 2);
  EXPECT_EQ(std::ranges::count(engine.events, "drop"), 2);
  expect_same(fit(fake_problem(fake.script.picture), plain_fake, plain(12), *same), result);
}

TEST(Async, ACancelledIterationIsNotBegun) {
  std::stop_source source;
  FakeEngine fake;
  AsyncEngine engine(fake);
  const auto stopper = make_fixed_count();
  const FitResult result = fit(
      fake_problem(fake.script.picture), engine, plain(9), *stopper, nullptr,
      [&](const FitProgress& p) {
        if (p.row.iteration == 3) source.request_stop();
      },
      source.get_token());
  EXPECT_EQ(result.stopped_by, StoppedBy::cancelled);
  EXPECT_EQ(result.iterations, 4);
  EXPECT_EQ(result.state.updates, 4);
}

TEST(Async, ARealFitGivesTheSameBits) {
  Tensor y({1, 1, 24, 20});
  Random(1, "y").uniform(y.values(), 0.f, 1.f);
  SkipOptions skip;
  skip.down = skip.up = {8, 8};
  skip.skip = {4, 4};
  const Problem problem = make_problem(y, y.shape(), *make_identity(), {.network = skip});
  FitOptions options = plain(30);
  options.threads = 2;
  options.rollback_db = 0.02f;  // so that it happens
  VarianceOptions variance;
  variance.window = 4;
  variance.min_start = 2;
  const auto cpu = make_engine("cpu");
  AsyncEngine engine(*cpu);
  const auto stopper = make_windowed_variance(variance), same = make_windowed_variance(variance);
  const FitResult expected = fit(problem, *cpu, options, *same);
  EXPECT_GT(expected.rollbacks, 0) << "proves less";
  expect_same(expected, fit(problem, engine, options, *stopper));
}

TEST(Async, FinishWantsAStart) {
  const Problem problem = fake_problem({1, 1, 1, 2});
  const auto program = make_engine("ref")->compile(problem.graph, {});
  program->start_step({}, 0);
  program->drop_step();
  try {
    program->finish_step();
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("start_step"));
  }
}

}  // namespace async_test
}  // namespace unmar
