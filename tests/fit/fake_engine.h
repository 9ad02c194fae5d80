#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "unmar/engine/engine.h"
#include "unmar/fit/fit.h"

namespace unmar {

/// What a fake program does: loss and picture of each step, as functions of the iteration and of
/// the updates made so far (which a roll-back takes back).
struct Script {
  Shape picture{1, 1, 1, 2};
  std::function<float(int iteration, int updates)> loss = [](int, int) { return 0.1f; };
  /// Value of all pixels.
  std::function<float(int iteration)> pixel = [](int i) { return static_cast<float>(i); };
  /// The kept fidelity, if it is not the loss itself.
  std::function<float(int iteration)> fidelity = [](int) { return 0.1f; };
  std::function<void(int iteration)> during = {};  ///< called within each step
};

/// What was asked of it.
struct Log {
  std::vector<int> iterations;     ///< of each step
  std::vector<TrainState> states;  ///< before each step
  std::vector<TrainState> restored;
  std::vector<Tensor> inputs;     ///< that were set
  std::vector<int> steps_before;  ///< each of them
  CompileOptions options;
};

class FakeProgram final : public Program {
 public:
  FakeProgram(const Graph& graph, const Script& script, Log& log)
      : graph_(graph), script_(script), log_(log) {
    for (auto* list : {&state_.params, &state_.m, &state_.v})
      list->assign(2, Tensor({1, 1, 1, 3}, 0.5f));
  }

  void set_input(NodeId, TensorView value) override {
    Tensor copy(value.shape);
    std::copy_n(value.data, copy.count(), copy.data());
    log_.inputs.push_back(std::move(copy));
    log_.steps_before.push_back(static_cast<int>(log_.iterations.size()));
  }
  bool forward(std::int64_t, bool, const std::stop_token&) override { return true; }
  void backward() override {}
  void backward(NodeId, TensorView) override {}

  std::optional<float> step(const Adam&, std::int64_t iteration,
                            const std::stop_token& cancel) override {
    iteration_ = static_cast<int>(iteration);
    log_.iterations.push_back(iteration_);
    if (script_.during) script_.during(iteration_);
    if (cancel.stop_requested()) return std::nullopt;
    log_.states.push_back(state_);
    loss_ = script_.loss(iteration_, static_cast<int>(state_.updates));
    if (!std::isfinite(loss_)) return loss_;
    // Any change that depends on the iteration, and differs between weights and moments.
    float change = 1.f / static_cast<float>(iteration_ + 3);
    for (auto* list : {&state_.params, &state_.m, &state_.v})
      for (Tensor& t : *list)
        for (float& v : t.values()) v = v * 0.75f + (change *= 1.25f);
    ++state_.updates;
    return loss_;
  }

  float loss() const override { return loss_; }
  void read(NodeId id, Tensor& dst) const override {
    const bool scalar = graph_.shape(id) == Shape{};
    dst =
        Tensor(graph_.shape(id), scalar ? script_.fidelity(iteration_) : script_.pixel(iteration_));
  }
  void read_input_grad(NodeId, Tensor&) const override {}
  std::vector<Tensor> param_grads() const override { return {}; }
  TrainState state() const override { return state_; }
  void restore(const TrainState& state) override {
    state_ = state;
    log_.restored.push_back(state);
  }
  std::size_t memory_bytes() const override { return 4321; }

 private:
  Graph graph_;
  Script script_;
  Log& log_;
  TrainState state_;
  int iteration_ = -1;
  float loss_ = 0;
};

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(Script s = {}) : script(std::move(s)) {}
  EngineInfo info() const override { return {"fake", "plays a script"}; }
  std::vector<DeviceInfo> devices() const override { return {{"fake", "", memory_free, 1}}; }
  std::vector<std::string> missing(const Graph&) const override { return lacks; }
  std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) override {
    log.options = options;
    return std::make_unique<FakeProgram>(graph, script, log);
  }

  Script script;
  Log log;
  std::vector<std::string> lacks;
  std::size_t memory_free = 0;
};

/// The least problem: the picture itself, compared with zeros.
inline Problem fake_problem(const Shape& picture, Op fidelity = Mse{}, bool with_prior = false) {
  Problem problem;
  Graph& g = problem.graph;
  problem.restored = g.add(Input{picture}, {}, "restored");
  const NodeId y = g.add(Constant{std::make_shared<const Tensor>(picture)}, {}, "y");
  problem.fidelity = g.add(std::move(fidelity), {problem.restored, y}, "fidelity");
  problem.predicted = problem.restored;
  g.keep(problem.restored);
  g.keep(problem.fidelity);
  g.set_loss(with_prior ? g.add(WeightedSum{{2.f}}, {problem.fidelity}, "loss") : problem.fidelity);
  return problem;
}

/// Chooses and stops where it is told, and writes down what it saw.
class ScriptedStopper final : public Stopper {
 public:
  std::string name() const override { return "scripted"; }
  Verdict observe(const Iterate& iterate) override {
    const int i = iterate.iteration;
    seen.push_back(i);
    return {std::find(best.begin(), best.end(), i) != best.end(), i == stop_at};
  }
  std::optional<double> signal() const override { return 10.0 * seen.back(); }
  void rewind(int iteration) override { rewinds.push_back(iteration); }

  std::vector<int> best;
  int stop_at = -1;
  std::vector<int> seen, rewinds;
};

}  // namespace unmar
