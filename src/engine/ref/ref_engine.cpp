#include "engine/ref/ref_engine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/fail.h"
#include "base/limits.h"
#include "base/overloaded.h"
#include "base/philox.h"
#include "engine/adam.h"
#include "engine/plan/reach.h"
#include "engine/ref/ops.h"

namespace unmar {

void ref::Grad::copy_to(Tensor& dst) const {
  if (dst.shape() != shape_) dst = Tensor(shape_);
  std::transform(values_.begin(), values_.end(), dst.data(),
                 [](double v) { return static_cast<float>(v); });
}

namespace {

using ref::Call;
using ref::Grad;

class RefProgram final : public Program {
 public:
  RefProgram(const Graph& graph, const CompileOptions& options);
  RefProgram(const RefProgram&) = delete;  // calls_ point into the other members
  RefProgram& operator=(const RefProgram&) = delete;

  void set_input(NodeId id, TensorView value) override;
  bool forward(std::int64_t iteration, bool jitter, const std::stop_token& cancel) override;
  void backward() override;
  void backward(NodeId id, TensorView cotangent) override;
  std::optional<float> step(const Adam& adam, std::int64_t iteration,
                            const std::stop_token& cancel) override;
  float loss() const override;
  void read(NodeId id, Tensor& dst) const override;
  void read_input_grad(NodeId id, Tensor& dst) const override;
  std::vector<Tensor> param_grads() const override;
  TrainState state() const override { return state_; }
  void restore(const TrainState& state) override;
  std::size_t memory_bytes() const override;

 private:
  const Node& node(std::size_t i) const { return graph_.nodes()[i]; }
  ref::Noise noise(std::size_t i) const {
    return {jitter_, stream_key(options_.seed, node(i).name), iteration_};
  }
  const Node& require_node(NodeId id, const char* where) const;
  NodeId require_loss(const char* where) const;
  void require_forward(const char* where) const;
  void bind();
  bool run_forward(std::int64_t iteration, bool jitter, const std::stop_token& cancel);
  bool run_backward(NodeId id, TensorView cotangent, const std::stop_token& cancel);
  void update(const Adam& adam, double gradient_norm);
  void track();
  void average();

  const Graph graph_;
  const CompileOptions options_;
  TrainState state_;
  std::vector<Tensor> values_;     ///< result of each node
  std::vector<Grad> grads_;        ///< of each node; empty where no gradient is needed
  std::vector<Grad> param_grads_;  ///< of each parameter
  std::vector<bool> learning_;     ///< per node: it has a gradient
  std::vector<Call> calls_;        ///< per node
  bool ran_ = false;
  bool fresh_ = false;  ///< forward, and no backward since
  bool jitter_ = true;  ///< of the last forward, as is
  std::int64_t iteration_ = 0;
};

RefProgram::RefProgram(const Graph& graph, const CompileOptions& options)
    : graph_(graph),
      options_(options),
      learning_(nodes_with_gradient(graph_, backward_roots(graph_, options_.backward_from))) {
  for (const Param& param : graph_.params()) {
    state_.params.push_back(draw(param, options_.seed));
    state_.m.emplace_back(param.shape);
    state_.v.emplace_back(param.shape);
    param_grads_.emplace_back(param.shape);
  }
  if (options_.ema_decay > 0) state_.averages = state_.params;
  for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
    const auto* constant = std::get_if<Constant>(&node(i).op);
    values_.push_back(constant ? *constant->value : Tensor(node(i).shape));
    const auto* input = std::get_if<Input>(&node(i).op);
    const bool has_grad = learning_[i] || (input && input->needs_grad);
    grads_.emplace_back(has_grad ? node(i).shape : Shape{0, 0, 0, 0});
  }
  bind();
}

void RefProgram::bind() {
  for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
    Call call;
    call.dst = &values_[i];
    call.d_dst = &grads_[i];
    for (const NodeId id : node(i).src) {
      const auto s = static_cast<std::size_t>(id.index);
      call.src.push_back(&values_[s]);
      call.d_src.push_back(learning_[s] ? &grads_[s] : nullptr);
    }
    for (const int p : node(i).params) {
      call.params.push_back(&state_.params[static_cast<std::size_t>(p)]);
      const bool frozen = graph_.params()[static_cast<std::size_t>(p)].frozen;
      call.d_params.push_back(frozen ? nullptr : &param_grads_[static_cast<std::size_t>(p)]);
    }
    calls_.push_back(std::move(call));
  }
}

const Node& RefProgram::require_node(NodeId id, const char* where) const {
  if (!id.valid() || static_cast<std::size_t>(id.index) >= graph_.nodes().size())
    fail(ErrorCode::bad_argument, "{}: node {} is not in the graph", where, id.index);
  return graph_.node(id);
}

NodeId RefProgram::require_loss(const char* where) const {
  if (!graph_.loss())
    fail(ErrorCode::bad_argument, "{}: the graph has no loss; call Graph::set_loss", where);
  return *graph_.loss();
}

void RefProgram::require_forward(const char* where) const {
  if (!ran_) fail(ErrorCode::bad_argument, "{}: nothing computed yet; call forward() first", where);
}

void RefProgram::set_input(NodeId id, TensorView value) {
  const Node& input = require_node(id, "set_input");
  if (!std::holds_alternative<Input>(input.op))
    fail(ErrorCode::bad_argument, "set_input: node '{}' is a {}, not an input", input.name,
         op_name(input.op));
  if (value.shape != input.shape)
    fail(ErrorCode::bad_argument, "set_input: '{}' is {}, the value is {}", input.name,
         to_string(input.shape), to_string(value.shape));
  std::copy_n(value.data, value.shape.count(), values_[static_cast<std::size_t>(id.index)].data());
}

bool RefProgram::forward(std::int64_t iteration, bool jitter, const std::stop_token& cancel) {
  return run_forward(iteration, jitter, cancel);
}

/// Both return whether they came to their end.
bool RefProgram::run_forward(std::int64_t iteration, bool jitter, const std::stop_token& cancel) {
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const bool given =
        std::holds_alternative<Input>(node(i).op) || std::holds_alternative<Constant>(node(i).op);
    if (options_.poison && !given)
      std::ranges::fill(values_[i].values(), std::numeric_limits<float>::quiet_NaN());
  }
  jitter_ = jitter;
  iteration_ = iteration;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (cancel.stop_requested()) return false;
    std::visit(Overloaded{
                   [](const Input&) {},
                   [](const Constant&) {},
                   [&](const Jitter& op) { ref::forward(op, noise(i), calls_[i]); },
                   [&](const Dropout& op) { ref::forward(op, noise(i), calls_[i]); },
                   [&](const auto& op) { ref::forward(op, calls_[i]); },
               },
               node(i).op);
  }
  ran_ = fresh_ = true;
  return true;
}

void RefProgram::backward() {
  const float one = 1.f;
  backward(require_loss("backward"), {&one, {}});
}

void RefProgram::backward(NodeId id, TensorView cotangent) {
  require_root(graph_, options_.backward_from, id, cotangent.shape);
  if (!std::exchange(fresh_, false))
    fail(ErrorCode::bad_argument, "backward: call forward() before each backward()");
  run_backward(id, cotangent, {});
}

bool RefProgram::run_backward(NodeId id, TensorView cotangent, const std::stop_token& cancel) {
  for (Grad& grad : grads_) grad.set_zero();
  for (Grad& grad : param_grads_) grad.set_zero();
  const auto root = static_cast<std::size_t>(id.index);
  if (!learning_[root]) return true;
  for (std::size_t i = 0; i < cotangent.shape.count(); ++i)
    grads_[root][i] = double{cotangent.data[i]};
  for (std::size_t i = calls_.size(); i-- > 0;) {
    if (!learning_[i]) continue;
    if (cancel.stop_requested()) return false;
    std::visit(Overloaded{
                   [](const Input&) {},
                   [](const Constant&) {},
                   [&](const Dropout& op) { ref::backward(op, noise(i), calls_[i]); },
                   [&](const auto& op) { ref::backward(op, calls_[i]); },
               },
               node(i).op);
  }
  return true;
}

std::optional<float> RefProgram::step(const Adam& adam, std::int64_t iteration,
                                      const std::stop_token& cancel) {
  const NodeId node = require_loss("step");
  if (!run_forward(iteration, true, cancel)) return std::nullopt;
  const float value = loss(), one = 1.f;
  if (!std::isfinite(value)) return value;
  fresh_ = false;
  if (!run_backward(node, {&one, {}}, cancel)) return std::nullopt;
  double norm = 0;
  if (adam.clip_norm > 0) {
    for (Grad& grad : param_grads_)
      for (std::size_t i = 0; i < grad.count(); ++i) norm += grad[i] * grad[i];
    norm = std::sqrt(norm);
    if (!std::isfinite(norm)) return static_cast<float>(norm);
  }
  update(adam, norm);
  track();
  average();
  return value;
}

void RefProgram::track() {
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const auto* norm = std::get_if<Norm>(&node(i).op);
    if (!norm || norm->statistics != NormStatistics::tracked) continue;
    const auto param = [&](std::size_t p) -> Tensor& {
      return state_.params[static_cast<std::size_t>(node(i).params[p])];
    };
    ref::track(*norm, *calls_[i].src[0], param(2), param(3));
  }
}

void RefProgram::average() {
  const float share = average_share(options_.ema_decay, state_.updates);
  for (std::size_t k = 0; k < state_.averages.size(); ++k)
    for (std::size_t i = 0; i < state_.averages[k].count(); ++i) {
      float& a = state_.averages[k].values()[i];
      const float p = state_.params[k].values()[i];
      a = share == 1.f ? p : a + share * (p - a);
    }
}

void RefProgram::update(const Adam& adam, double gradient_norm) {
  const AdamStep rule(adam, ++state_.updates, gradient_norm);
  for (std::size_t k = 0; k < param_grads_.size(); ++k)
    for (std::size_t i = 0; i < param_grads_[k].count(); ++i)
      rule.apply(static_cast<float>(param_grads_[k][i]), state_.params[k].values()[i],
                 state_.m[k].values()[i], state_.v[k].values()[i]);
}

float RefProgram::loss() const {
  const NodeId id = require_loss("loss");
  require_forward("loss");
  return values_[static_cast<std::size_t>(id.index)].values()[0];
}

void RefProgram::read(NodeId id, Tensor& dst) const {
  const Node& kept = require_node(id, "read");
  if (!graph_.kept(id))
    fail(ErrorCode::bad_argument, "read: node '{}' is not kept; call Graph::keep", kept.name);
  require_forward("read");
  dst = values_[static_cast<std::size_t>(id.index)];
}

void RefProgram::read_input_grad(NodeId id, Tensor& dst) const {
  const Node& source = require_node(id, "read_input_grad");
  const auto* input = std::get_if<Input>(&source.op);
  if (!input || !input->needs_grad)
    fail(ErrorCode::bad_argument, "read_input_grad: node '{}' is not an input with needs_grad",
         source.name);
  grads_[static_cast<std::size_t>(id.index)].copy_to(dst);
}

std::vector<Tensor> RefProgram::param_grads() const {
  std::vector<Tensor> grads(param_grads_.size());
  for (std::size_t k = 0; k < grads.size(); ++k) param_grads_[k].copy_to(grads[k]);
  return grads;
}

void RefProgram::restore(const TrainState& state) {
  const auto require_like = [&](const std::vector<Tensor>& tensors, const char* what) {
    if (tensors.size() != graph_.params().size())
      fail(ErrorCode::bad_argument, "restore: the graph has {} parameters, the state {} {}",
           graph_.params().size(), tensors.size(), what);
    for (std::size_t k = 0; k < tensors.size(); ++k)
      if (tensors[k].shape() != graph_.params()[k].shape)
        fail(ErrorCode::bad_argument, "restore: parameter '{}' is {}, the state's {} {}",
             graph_.params()[k].name, to_string(graph_.params()[k].shape), what,
             to_string(tensors[k].shape()));
  };
  require_like(state.params, "params");
  require_like(state.m, "m");
  require_like(state.v, "v");
  if (!state.averages.empty()) require_like(state.averages, "averages");
  // Tensor by tensor, not state_ = state, since calls_ points to them.
  for (std::size_t k = 0; k < state_.params.size(); ++k) {
    state_.params[k] = state.params[k];
    state_.m[k] = state.m[k];
    state_.v[k] = state.v[k];
  }
  if (options_.ema_decay > 0)
    state_.averages = state.averages.empty() ? state.params : state.averages;
  state_.updates = state.updates;
}

std::size_t RefProgram::memory_bytes() const {
  std::size_t bytes = 0;
  for (const Tensor& t : values_) bytes += t.count() * sizeof(float);
  for (const Grad& g : grads_) bytes += g.count() * sizeof(double);
  for (const Grad& g : param_grads_) bytes += g.count() * (sizeof(double) + 3 * sizeof(float));
  return bytes;
}

class RefEngine final : public Engine {
 public:
  EngineInfo info() const override { return {"ref", "plain loops, one thread; the specification"}; }
  std::vector<DeviceInfo> devices() const override {
    return {{"cpu", info().description, available_memory().value_or(0), 0}};
  }
  std::vector<std::string> missing(const Graph&) const override { return {}; }
  /// A float per value and a double per gradient; at most, as not every node needs one.
  std::size_t memory_needed(const Graph& graph, const CompileOptions&) const override {
    std::size_t bytes = 0;
    for (const Node& node : graph.nodes())
      bytes += node.shape.count() * (sizeof(float) + sizeof(double));
    return bytes + graph.param_count() * (3 * sizeof(float) + sizeof(double));
  }
  std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) override {
    require_support(*this, graph, options.device);
    return std::make_unique<RefProgram>(graph, options);
  }
};

}  // namespace

std::unique_ptr<Engine> make_ref_engine() { return std::make_unique<RefEngine>(); }

}  // namespace unmar
