#include "engine/cuda/program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/fail.h"
#include "engine/adam.h"
#include "engine/cuda/lower.h"
#include "engine/plan/param_layout.h"
#include "engine/plan/reach.h"

namespace unmar::cuda {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// A node whose value, or gradient, can be read: a copy of it as [n,c,h,w], of every other step.
struct Published {
  NodeId node;
  Buffer* copy[2];
};

/// What a graph becomes once the addresses of its parameters are known. Without a card it says how
/// much memory there must be.
struct Plan {
  Plan(const Graph& graph, const std::vector<ParamPlace>& params, const CompileOptions& options)
      : lowered(lower(graph, params, options)), steps(static_cast<int>(lowered.steps.size())) {
    Emitter planning(true);
    for (int i = 0; i < steps; ++i) {
      planning.set_time(i, false, i);
      step(i).forward(planning);
      planning.set_time(2 * steps - 1 - i, true, i);
      step(i).backward(planning);
    }
    std::vector<Buffer*> lasting = lowered.lasting();
    const auto make = [&](std::size_t floats) {
      return lasting.emplace_back(lowered.buffers.make(floats));
    };
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
      const NodeId id{static_cast<int>(i)};
      if (!graph.kept(id) && graph.loss() != id) continue;
      const std::size_t floats = graph.shape(id).count();
      published.push_back({id, {make(floats), make(floats)}});
    }
    std::size_t most = 1;
    for (const Node& node : graph.nodes())
      if (std::holds_alternative<Input>(node.op) || std::holds_alternative<Constant>(node.op))
        most = std::max(most, node.shape.count());
    exchange = make(std::max(most, lowered.cotangent->floats));
    square_parts = make(kSquareParts);
    square_sum = make(1);
    report = make(2);
    memory = plan_memory(graph, lowered.value, lowered.grad, lowered.buffers, steps, lasting);
  }

  const Step& step(int i) const { return lowered.steps[static_cast<std::size_t>(i)]; }

  static constexpr std::size_t kSquareParts = 1024;
  Lowered lowered;
  int steps;
  std::vector<Published> published;
  Buffer *exchange, *square_parts, *square_sum, *report;
  MemoryPlan memory;
};

class CudaProgram final : public Program {
 public:
  CudaProgram(const Graph& graph, const CompileOptions& options, std::shared_ptr<CardInUse> card)
      : graph_(graph),
        options_(options),
        card_(std::move(card)),
        layout_(graph_),
        queue_(card_),
        copies_(card_),
        plan_(make_params()) {
    place_buffers();
    emit();
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
    queue_.launch(forward_);
    queue_.launch(publish_[current_]);
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
    queue_.launch(backward_);
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
    const int next = 1 - current_;
    if (!recordings_[next])
      recordings_[next] = Recording(card_, queue_, [&] { queue_whole_step(next); });
    recordings_[next].play(*card_, queue_);
    running_ = true;
  }

  std::optional<float> finish_step() override {
    if (!std::exchange(started_, false))
      fail(ErrorCode::bad_argument, "finish_step: call start_step() first");
    if (!running_) return std::nullopt;
    wait_for_step();
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
    Emitter e(false);
    reorder<Kernel::from_channels_last>(e, grad, plan_.exchange, false);
    const std::vector<Launch> launches = e.take();
    queue_.launch(launches);
    queue_.wait();
    receive(plan_.exchange->data, grad.shape, dst);
  }

  std::vector<Tensor> param_grads() const override { return download(grads_); }
  TrainState state() const override {
    card_->make_current();
    if (running_) queue_.wait();  // it begins with the update of the step before it
    apply_update();
    return {download(values_), download(m_), download(v_), updates_,
            averages_.floats() > 0 ? download(averages_) : std::vector<Tensor>()};
  }
  void restore(const TrainState& state) override {
    for (const auto* tensors : {&state.params, &state.m, &state.v}) layout_.require(*tensors);
    if (!state.averages.empty()) layout_.require(state.averages);
    settle();
    upload(state.params, values_);
    upload(state.m, m_);
    upload(state.v, v_);
    if (averages_.floats() > 0)
      upload(state.averages.empty() ? state.params : state.averages, averages_);
    updates_ = state.updates;
  }

  std::size_t memory_bytes() const override {
    return bytes_of(plan_.memory, layout_.floats(), options_);
  }

  std::size_t launch_count() const {
    return 1 + forward_.size() + backward_.size() + report_step_.size();
  }

 private:
  // ---- making it -------------------------------------------------------------------------------

  Plan make_params() {
    const std::size_t total = layout_.floats();
    for (DeviceMemory* memory : {&values_, &grads_, &m_, &v_}) {
      *memory = DeviceMemory(card_, total);
      queue_.fill(memory->data(), total, 0.f);
    }
    std::vector<Tensor> start;
    for (const Param& p : graph_.params()) start.push_back(draw(p, options_.seed));
    upload(start, values_);
    if (options_.ema_decay > 0) {
      averages_ = DeviceMemory(card_, total);
      upload(start, averages_);
    }
    std::vector<ParamPlace> places;
    for (std::size_t i = 0; i < graph_.params().size(); ++i) {
      const bool frozen = graph_.params()[i].frozen;  // its gradient stays 0, so it never changes
      const std::size_t offset = layout_.offset(i);
      places.push_back({values_.data() + offset, frozen ? nullptr : grads_.data() + offset});
    }
    return Plan(graph_, places, options_);
  }

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

  /// For tests: a buffer holds NaN before its first use, and again after its last.
  void poison(Emitter& e, int time, bool begins) const {
    if (!options_.poison) return;
    for (const auto& [buffer, offset] : plan_.memory.in_arena)
      for (const Buffer::Span& span : {buffer->span, buffer->again})
        if ((begins ? span.first : span.last) == time)
          e.launch<Kernel::fill>({blocks(buffer->floats)}, {buffer->data, buffer->floats, kNaN});
  }

  void emit() {
    Emitter e(false);
    const int n = plan_.steps;
    if (options_.poison)
      e.launch<Kernel::fill>({blocks(arena_.floats())}, {arena_.data(), arena_.floats(), kNaN});
    for (int i = 0; i < n; ++i) {
      e.set_time(i, false, i);
      poison(e, i, true);
      plan_.step(i).forward(e);
      poison(e, i, false);
    }
    forward_ = e.take();
    poison(e, n, true);
    if (graph_.loss())
      if (const Place& seed = plan_.lowered.grad[at(*graph_.loss())])
        e.launch<Kernel::put_seed>({1}, {device_pass(), e.at(seed), graph_.loss()->index});
    for (int i = n; i-- > 0;) {
      const int time = 2 * n - 1 - i;
      e.set_time(time, true, i);
      if (i < n - 1) poison(e, time, true);
      plan_.step(i).backward(e);
      poison(e, time, false);
    }
    backward_ = e.take();
    for (const int which : {0, 1}) {
      for (const Published& p : plan_.published)
        reorder<Kernel::from_channels_last>(e, plan_.lowered.value[at(p.node)], p.copy[which],
                                            false);
      publish_[which] = e.take();
    }
    e.launch<Kernel::adam>({blocks(layout_.floats())},
                           {device_pass(), values_.data(), grads_.data(), m_.data(), v_.data(),
                            averages_.data(), layout_.floats()});
    update_ = e.take();
    if (graph_.loss()) emit_report(e);
  }
  /// The loss and the squares of all gradients.
  void emit_report(Emitter& e) {
    const std::size_t total = layout_.floats();
    const std::size_t chunk =
        std::max<std::size_t>(4096, (total + Plan::kSquareParts - 1) / Plan::kSquareParts);
    const unsigned parts = blocks(total, static_cast<unsigned>(chunk));
    e.launch<Kernel::sums>({parts}, {grads_.data(), nullptr, 1, 0, 1, sum_squares, total, chunk,
                                     e.at(plan_.square_parts)});
    e.launch<Kernel::sum_finish>(
        {1}, {e.at(plan_.square_parts), static_cast<int>(parts), 1.0, e.at(plan_.square_sum)});
    e.launch<Kernel::report>({1}, {e.at(plan_.lowered.value[at(*graph_.loss())]),
                                   e.at(plan_.square_sum), e.at(plan_.report)});
    report_step_ = e.take();
  }

  /// Between a place and a dense [n,c,h,w].
  template <Kernel kKernel>
  static void reorder(Emitter& e, const Place& place, Buffer* planes, bool to_place) {
    const Shape& s = place.shape;
    float *last = e.at(place), *first = e.at(planes);
    e.launch<kKernel>({blocks(s.count())},
                      {to_place ? first : last, to_place ? last : first, place.ld, s.c,
                       static_cast<unsigned>(s.h) * static_cast<unsigned>(s.w),
                       static_cast<unsigned>(s.count())});
  }

  // ---- passes ----------------------------------------------------------------------------------

  const Pass* device_pass() const {
    return reinterpret_cast<const Pass*>(plan_.lowered.pass->data);
  }
  void send_pass() const { queue_.upload(pass_, plan_.lowered.pass->data, sizeof(Pass)); }
  /// What changes from step to step is in the Pass, so that the rest can be recorded.
  void queue_whole_step(int copy) const {
    send_pass();
    queue_.launch(update_);
    queue_.launch(forward_);
    queue_.launch(backward_);
    queue_.launch(publish_[copy]);
    queue_.launch(report_step_);
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
    queue_.launch(update_);
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

  void send(TensorView value, const Place& place) const {
    card_->make_current();
    queue_.upload(value.data, plan_.exchange->data, value.shape.count() * sizeof(float));
    Emitter e(false);
    reorder<Kernel::to_channels_last>(e, place, plan_.exchange, true);
    const std::vector<Launch> launches = e.take();
    queue_.launch(launches);
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

  std::vector<Tensor> download(const DeviceMemory& memory) const {
    card_->make_current();
    std::vector<float> flat(memory.floats());
    copies_.download(memory.data(), flat.data(), flat.size() * sizeof(float));
    copies_.wait();
    return layout_.to_tensors(flat.data());
  }
  void upload(const std::vector<Tensor>& tensors, const DeviceMemory& memory) const {
    std::vector<float> flat(memory.floats());
    layout_.from_tensors(tensors, flat.data());
    queue_.upload(flat.data(), memory.data(), flat.size() * sizeof(float));
    queue_.wait();
  }

  const Graph graph_;
  const CompileOptions options_;
  std::shared_ptr<CardInUse> card_;
  ParamLayout layout_;
  DeviceMemory values_, grads_, m_, v_, averages_, arena_, fixed_;
  HostMemory pinned_;
  mutable Queue queue_, copies_;  ///< behind the memory, which must be there until they are done
  Plan plan_;
  Pass* pass_ = nullptr;     ///< in pinned_, as is
  float* report_ = nullptr;  ///< loss, squares of gradients
  std::vector<Launch> forward_, backward_, update_, report_step_, publish_[2];
  Recording recordings_[2];  ///< of a step, for each place to publish to

  int current_ = 0;   ///< which copy holds what can be read
  bool ran_ = false;  ///< forward, and no backward since
  bool started_ = false;
  mutable bool running_ = false;
  Adam next_adam_;
  std::stop_token cancel_;
  mutable std::optional<AdamStep> pending_;  ///< the update of the last finished step
  std::int64_t updates_ = 0;
};

}  // namespace

std::size_t program_bytes(const Graph& graph, const CompileOptions& options) {
  float somewhere = 0;  // parameters need an address, which planning never follows
  const std::vector<ParamPlace> params(graph.params().size(), {&somewhere, &somewhere});
  const Plan plan(graph, params, options);
  return bytes_of(plan.memory, ParamLayout(graph).floats(), options);
}

std::unique_ptr<Program> make_program(const Graph& graph, const CompileOptions& options,
                                      std::shared_ptr<CardInUse> card) {
  return std::make_unique<CudaProgram>(graph, options, std::move(card));
}

}  // namespace unmar::cuda
