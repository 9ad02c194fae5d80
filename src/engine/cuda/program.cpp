#include "engine/cuda/program.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/fail.h"
#include "engine/adam.h"
#include "engine/cuda/passes.h"
#include "engine/cuda/profile.h"
#include "engine/plan/reach.h"

namespace unmar::cuda {
namespace {

class CudaProgram final : public Program {
 public:
  CudaProgram(const Graph& graph, const CompileOptions& options, std::shared_ptr<CardInUse> card)
      : graph_(graph),
        options_(options),
        card_(std::move(card)),
        params_(graph_, options_, card_),
        queue_(card_),
        copies_(card_),
        plan_(graph_, params_.places(graph_), options_) {
    params_.upload_start(queue_, graph_, options_.seed);
    place_buffers();
    passes_ = emit_passes(graph_, options_, plan_, params_, arena_);
    load_kernels();
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i)
      if (const auto* constant = std::get_if<Constant>(&graph_.nodes()[i].op))
        send(*constant->value, plan_.lowered.value[i]);
  }
  ~CudaProgram() override {
    if (running_) machine().driver->stream_wait(queue_.stream());
  }
  CudaProgram(const CudaProgram&) = delete;
  CudaProgram& operator=(const CudaProgram&) = delete;

  void set_input(NodeId id, TensorView value) override {
    if (!std::holds_alternative<Input>(graph_.node(id).op))
      fail(ErrorCode::bad_argument, "set_input: '{}' is not an input", graph_.node(id).name);
    if (value.shape != graph_.shape(id))
      fail(ErrorCode::bad_argument, "set_input: '{}' takes {}, got {}", graph_.node(id).name,
           to_string(graph_.shape(id)), to_string(value.shape));
    settle();
    send(value, plan_.lowered.value[at(id)]);
  }

  bool forward(std::int64_t iteration, bool jitter, const std::stop_token& cancel) override {
    settle();
    ran_ = false;
    if (cancel.stop_requested()) return false;
    pass_->iteration = iteration;
    pass_->jitter = jitter;
    send_pass();
    queue_.launch(passes_.forward);
    queue_.launch(passes_.publish[current_]);
    queue_.wait();
    return ran_ = !cancel.stop_requested();
  }

  void backward() override {
    const float one = 1.f;
    backward(require_loss("backward"), {&one, {}});
  }

  void backward(NodeId node, TensorView cotangent) override {
    require_root(graph_, options_.backward_from, node, cotangent.shape);
    if (!std::exchange(ran_, false))
      fail(ErrorCode::bad_argument, "backward: call forward() before each backward()");
    settle();
    pass_->from = node.index;
    pass_->seed = cotangent.data[0];
    if (node != graph_.loss()) {
      const Shape& s = cotangent.shape;
      Buffer* given = plan_.lowered.cotangent;
      send(cotangent, {given, s, 0, s.c});
    }
    send_pass();
    queue_.launch(passes_.backward);
    queue_.wait();
  }

  std::optional<float> step(const Adam& adam, std::int64_t iteration,
                            const std::stop_token& cancel) override {
    start_step(adam, iteration, cancel);
    return finish_step();
  }

  bool asynchronous() const override { return true; }

  void start_step(const Adam& adam, std::int64_t iteration,
                  const std::stop_token& cancel) override {
    const NodeId loss = require_loss("step");
    wait_for_step();
    ran_ = false;
    cancel_ = cancel;
    started_ = true;
    next_adam_ = adam;
    if (cancel.stop_requested()) return;
    pass_->iteration = iteration;
    pass_->jitter = 1;
    pass_->from = loss.index;
    pass_->seed = 1.f;
    set_update();
    card_->make_current();
    start_recorded(1 - current_);
    running_ = true;
  }

  std::optional<float> finish_step() override {
    if (!std::exchange(started_, false))
      fail(ErrorCode::bad_argument, "finish_step: call start_step() first");
    if (!running_) return std::nullopt;
    wait_for_step();
    if (clock_) clock_->take_times();
    if (cancel_.stop_requested()) return std::nullopt;
    current_ = 1 - current_;
    const float loss = report_[0];
    if (!std::isfinite(loss)) return loss;
    const float norm = std::sqrt(report_[1]);
    if (next_adam_.clip_norm > 0 && !std::isfinite(norm)) return norm;
    pending_ = AdamStep(next_adam_, ++updates_, norm);
    return loss;
  }

  void drop_step() override {
    if (!std::exchange(started_, false)) return;
    wait_for_step();
  }

  float loss() const override {
    Tensor value;
    read_published(require_loss("loss"), value);
    return value.data()[0];
  }
  void read(NodeId id, Tensor& dst) const override {
    if (!graph_.kept(id))
      fail(ErrorCode::bad_argument, "read: '{}' is not kept; call Graph::keep before compiling",
           graph_.node(id).name);
    read_published(id, dst);
  }
  void read_input_grad(NodeId id, Tensor& dst) const override {
    const Place& grad = plan_.lowered.grad[at(id)];
    if (!std::holds_alternative<Input>(graph_.node(id).op) || !grad)
      fail(ErrorCode::bad_argument,
           "read_input_grad: '{}' is not an input with needs_grad that reaches the loss or "
           "another node that backward starts from",
           graph_.node(id).name);
    card_->make_current();
    if (dst.shape() != grad.shape) dst = Tensor(grad.shape);
    in_parts(grad, [&](const Place& part, std::size_t first) {
      queue_.launch(to_planes(part, plan_.exchange));
      queue_.download(plan_.exchange->data, dst.data() + first, part.bytes());
    });
    queue_.wait();
  }

  std::vector<Tensor> param_grads() const override {
    card_->make_current();
    return params_.download_grads(copies_);
  }
  TrainState state() const override {
    card_->make_current();
    if (running_) queue_.wait();  // it begins with the update of the step before it
    apply_update();
    return params_.download_state(copies_, updates_);
  }
  void restore(const TrainState& state) override {
    params_.require(state);
    settle();
    params_.upload_state(queue_, state);
    updates_ = state.updates;
  }

  /// While a step runs, of the state that it began with: its update was the first it did.
  std::shared_ptr<const Snapshot> take_snapshot() const override {
    card_->make_current();
    apply_update();
    auto unused = std::ranges::find(snapshots_, 1, &std::shared_ptr<DeviceSnapshot>::use_count);
    if (unused == snapshots_.end())
      unused = snapshots_.insert(unused, params_.make_snapshot(card_));
    (*unused)->updates = updates_;
    params_.copy_to(queue_, **unused);
    return *unused;
  }
  void restore_snapshot(const Snapshot& snapshot) override {
    const auto& s = static_cast<const DeviceSnapshot&>(snapshot);
    settle();
    params_.copy_from(queue_, s);
    queue_.wait();
    updates_ = s.updates;
  }
  TrainState state_of(const Snapshot& snapshot) const override {
    card_->make_current();
    queue_.wait();
    return params_.download(copies_, static_cast<const DeviceSnapshot&>(snapshot));
  }

  void start_profile() override {
    settle();
    clock_.emplace(graph_, plan_, passes_, params_.floats(), card_);
  }
  std::vector<StepProfile> profile() const override {
    return clock_ ? clock_->rows() : std::vector<StepProfile>();
  }

  std::size_t memory_bytes() const override {
    return bytes_of(plan_.memory, params_.floats(), options_);
  }

 private:
  // ---- making it -------------------------------------------------------------------------------

  void place_buffers() {
    arena_ = DeviceMemory(card_, plan_.memory.arena);
    fixed_ = DeviceMemory(card_, plan_.memory.fixed);
    for (const auto& [buffer, offset] : plan_.memory.in_arena)
      buffer->data = arena_.data() + offset;
    for (const auto& [buffer, offset] : plan_.memory.in_fixed)
      buffer->data = fixed_.data() + offset;
    queue_.fill(fixed_.data(), fixed_.floats(), 0.f);
    for (const Table& table : plan_.lowered.tables)
      queue_.upload(table.content.data(), table.buffer->data, table.content.size());
    pinned_ = HostMemory(card_, sizeof(Pass) + 2 * sizeof(float));
    pass_ = new (pinned_.data()) Pass{};
    report_ = reinterpret_cast<float*>(pass_ + 1);
    queue_.wait();
  }

  /// So that nothing is compiled while a step is recorded.
  void load_kernels() const {
    for (const auto* pass : {&passes_.forward, &passes_.backward, &passes_.update, &passes_.report,
                             &passes_.publish[0], &passes_.publish[1]})
      for (const Launch& launch : *pass) card_->load(launch.kernel);
  }

  // ---- passes ----------------------------------------------------------------------------------

  void send_pass() const { queue_.upload(pass_, plan_.lowered.pass->data, sizeof(Pass)); }
  /// What changes from step to step is in the Pass, so that the rest can be recorded.
  void start_recorded(int copy) {
    if (clock_) return queue_whole_step(copy);  // times are taken between launches
    if (!recordings_[copy])
      recordings_[copy] = Recording(card_, queue_, [&] { queue_whole_step(copy); });
    recordings_[copy].play(*card_, queue_);
  }
  void queue_whole_step(int copy) {
    send_pass();
    if (clock_) {
      clock_->queue_step(queue_, copy);
    } else {
      queue_.launch(passes_.update);
      queue_.launch(passes_.forward);
      queue_.launch(passes_.backward);
      queue_.launch(passes_.publish[copy]);
      queue_.launch(passes_.report);
    }
    queue_.download(plan_.report->data, report_, 2 * sizeof(float));
  }
  void wait_for_step() const {
    if (!std::exchange(running_, false)) return;
    card_->make_current();
    queue_.wait();
  }
  /// The update of the last step goes together with the next one, or when somebody looks.
  void set_update() const {
    pass_->update = pending_.has_value();
    if (!pending_) return;
    const AdamStep& s = *pending_;
    pass_->beta1 = s.beta1;
    pass_->beta2 = s.beta2;
    pass_->eps = s.eps;
    pass_->rate = s.rate;
    pass_->inv_root = s.inv_root;
    pass_->grad_scale = s.grad_scale;
    pass_->average_share = average_share(options_.ema_decay, updates_);
    pending_.reset();
  }
  void apply_update() const {
    card_->make_current();
    if (running_ || !pending_) return;  // a running step has it already
    set_update();
    send_pass();
    queue_.launch(passes_.update);
    queue_.wait();
    pass_->update = 0;
  }
  /// Nothing runs, and the parameters are those after the last finished step.
  void settle() const {
    wait_for_step();
    apply_update();
    pass_->update = 0;
  }

  NodeId require_loss(const char* where) const {
    if (!graph_.loss())
      fail(ErrorCode::bad_argument, "{}: the graph has no loss; call set_loss", where);
    return *graph_.loss();
  }

  // ---- values in and out -----------------------------------------------------------------------

  /// f(part, first): what fits into the exchange at a time, and the place of its first value among
  /// those of the tensor as [n,c,h,w].
  template <class F>
  void in_parts(const Place& place, const F& f) const {
    const Shape& s = place.shape;
    if (s.count() <= plan_.exchange->floats) return f(place, std::size_t{0});
    const std::size_t plane = Shape{1, 1, s.h, s.w}.count();
    const int most = static_cast<int>(plan_.exchange->floats / plane);
    for (int n = 0; n < s.n; ++n)
      for (int c = 0; c < s.c; c += most) {
        Place part = slice(place, c, {1, std::min(most, s.c - c), s.h, s.w});
        part.offset += n * static_cast<std::ptrdiff_t>(plane) * place.ld;
        f(part, static_cast<std::size_t>(n * s.c + c) * plane);
      }
  }
  void send(TensorView value, const Place& place) const {
    card_->make_current();
    in_parts(place, [&](const Place& part, std::size_t first) {
      queue_.upload(value.data + first, plan_.exchange->data, part.bytes());
      queue_.launch(from_planes(plan_.exchange, part));
    });
    queue_.wait();
  }
  void receive(const float* src, const Shape& shape, Tensor& dst) const {
    if (dst.shape() != shape) dst = Tensor(shape);
    copies_.download(src, dst.data(), shape.count() * sizeof(float));
    copies_.wait();
  }
  /// While a step runs, of the one before it: that one's copy is left alone.
  void read_published(NodeId id, Tensor& dst) const {
    card_->make_current();
    const auto p = std::ranges::find(plan_.published, id, &Published::node);
    receive(p->copy[current_]->data, graph_.shape(id), dst);
  }

  const Graph graph_;
  const CompileOptions options_;
  std::shared_ptr<CardInUse> card_;
  DeviceParams params_;
  DeviceMemory arena_, fixed_;
  HostMemory pinned_;
  mutable Queue queue_, copies_;  ///< behind the memory, which must be there until they are done
  ProgramPlan plan_;
  Passes passes_;
  Pass* pass_ = nullptr;     ///< in pinned_, as is
  float* report_ = nullptr;  ///< loss, squares of gradients
  Recording recordings_[2];  ///< of a step, for each place to publish to
  std::optional<StepClock> clock_;

  int current_ = 0;   ///< which copy holds what can be read
  bool ran_ = false;  ///< forward, and no backward since
  bool started_ = false;
  mutable bool running_ = false;
  Adam next_adam_;
  std::stop_token cancel_;
  /// Those that nobody holds are used again.
  mutable std::vector<std::shared_ptr<DeviceSnapshot>> snapshots_;
  mutable std::optional<AdamStep> pending_;  ///< the update of the last finished step
  std::int64_t updates_ = 0;
};

}  // namespace

std::size_t program_bytes(const Graph& graph, const CompileOptions& options) {
  float somewhere = 0;  // parameters need an address, which planning never follows
  const std::vector<ParamPlace> params(graph.params().size(), {&somewhere, &somewhere});
  const ProgramPlan plan(graph, params, options);
  return bytes_of(plan.memory, ParamLayout(graph).floats(), options);
}

std::unique_ptr<Program> make_program(const Graph& graph, const CompileOptions& options,
                                      std::shared_ptr<CardInUse> card) {
  return std::make_unique<CudaProgram>(graph, options, std::move(card));
}

}  // namespace unmar::cuda
