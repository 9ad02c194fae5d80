#include "engine/cpu/program.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>
#include <optional>
#include <utility>

#include "base/fail.h"
#include "engine/adam.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/lower.h"
#include "engine/cpu/profile.h"
#include "engine/plan/layout.h"
#include "engine/plan/param_layout.h"
#include "engine/plan/reach.h"

namespace unmar::cpu {
namespace {

/// Aligned floats, not touched before their first use. In large pages where the system has them: a
/// step walks through far more small ones than a core can keep track of.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::size_t count)
      : data_(static_cast<float*>(::operator new[](count * sizeof(float), kAlign))), count_(count) {
#ifdef MADV_HUGEPAGE
    if (count > 0) madvise(data_.get(), count * sizeof(float), MADV_HUGEPAGE);  // may be refused
#endif
  }
  float* get() const { return data_.get(); }
  std::size_t count() const { return count_; }
  void fill(float value) { std::fill_n(data_.get(), count_, value); }

 private:
  static constexpr std::align_val_t kAlign{1 << 21};
  struct Free {
    void operator()(float* p) const { ::operator delete[](p, kAlign); }
  };
  std::unique_ptr<float[], Free> data_;
  std::size_t count_ = 0;
};

class CpuProgram : public Program {
 public:
  CpuProgram(const Graph& graph, const CompileOptions& options)
      : graph_(graph), options_(options), pool_(options.threads) {
    make_params(options.seed);
    lowered_ = lower(graph_, places_, options);
    place_buffers();
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i)
      if (const auto* constant = std::get_if<Constant>(&graph_.nodes()[i].op))
        to_channels_last(*constant->value, lowered_.value[i].view());
  }

  void set_input(NodeId id, TensorView value) override {
    if (!std::holds_alternative<Input>(graph_.node(id).op))
      fail(ErrorCode::bad_argument, "set_input: '{}' is not an input", graph_.node(id).name);
    if (value.shape != graph_.shape(id))
      fail(ErrorCode::bad_argument, "set_input: '{}' takes {}, got {}", graph_.node(id).name,
           to_string(graph_.shape(id)), to_string(value.shape));
    to_channels_last(value, place(id).view());
  }

  bool forward(std::int64_t iteration, bool jitter, const std::stop_token& cancel) override {
    pool_.cancel_with(cancel);
    const bool whole = run_forward(iteration, jitter, cancel);
    pool_.cancel_with({});
    return whole;
  }

  void backward() override {
    const float one = 1.f;
    backward(require_loss("backward"), {&one, {}});
  }

  void backward(NodeId node, TensorView cotangent) override {
    require_root(graph_, options_.backward_from, node, cotangent.shape);
    if (!std::exchange(ran_, false))
      fail(ErrorCode::bad_argument, "backward: call forward() before each backward()");
    run_backward(node, cotangent, {});
  }

  std::optional<float> step(const Adam& adam, std::int64_t iteration,
                            const std::stop_token& cancel) override {
    require_loss("step");
    pool_.cancel_with(cancel);
    const std::optional<float> value = gradients_of(iteration, cancel);
    pool_.cancel_with({});
    if (!value || !std::isfinite(*value)) return value;
    const double norm = adam.clip_norm > 0 ? gradient_norm() : 0.0;
    if (!std::isfinite(norm)) return static_cast<float>(norm);
    const AdamStep update(adam, ++updates_, norm);
    const float share = average_share(options_.ema_decay, updates_);
    for (const auto& s : lowered_.steps) s->track();
    for_chunks([&](int, std::size_t begin, std::size_t count) {
      adam_update(values_.get() + begin, m_.get() + begin, v_.get() + begin, grads_.get() + begin,
                  count, update);
      if (averages_.count() > 0)
        approach(averages_.get() + begin, values_.get() + begin, share, count);
    });
    if (clock_) clock_->update_done();
    return value;
  }

  float loss() const override { return *place(require_loss("loss")).view().data; }
  void read(NodeId id, Tensor& dst) const override {
    if (!graph_.kept(id))
      fail(ErrorCode::bad_argument, "read: '{}' is not kept; call Graph::keep before compiling",
           graph_.node(id).name);
    from_channels_last(place(id).view(), dst);
  }
  void read_input_grad(NodeId id, Tensor& dst) const override {
    const Place& grad = lowered_.grad[index(id)];
    if (!std::holds_alternative<Input>(graph_.node(id).op) || !grad)
      fail(ErrorCode::bad_argument,
           "read_input_grad: '{}' is not an input with needs_grad that reaches the loss or "
           "another node that backward starts from",
           graph_.node(id).name);
    from_channels_last(grad.view(), dst);
  }

  std::vector<Tensor> param_grads() const override { return to_tensors(grads_); }
  TrainState state() const override {
    return {to_tensors(values_), to_tensors(m_), to_tensors(v_), updates_,
            averages_.count() > 0 ? to_tensors(averages_) : std::vector<Tensor>()};
  }
  void restore(const TrainState& state) override {
    from_tensors(state.params, values_);
    from_tensors(state.m, m_);
    from_tensors(state.v, v_);
    if (averages_.count() > 0)
      from_tensors(state.averages.empty() ? state.params : state.averages, averages_);
    updates_ = state.updates;
  }

  std::size_t memory_bytes() const override {
    return sizeof(float) * (arena_.count() + fixed_.count() + values_.count() + grads_.count() +
                            m_.count() + v_.count() + averages_.count());
  }

  void start_profile() override { clock_.emplace(lowered_.steps.size()); }
  std::vector<StepProfile> profile() const override {
    if (!clock_) return {};
    return clock_->with_times(describe_steps(graph_, lowered_), values_.count());
  }

 private:
  /// Both return whether they came to their end. `cancel` is the pool's: a step whose chunks were
  /// left out is the last one that runs.
  bool run_forward(std::int64_t iteration, bool jitter, const std::stop_token& cancel) {
    if (options_.poison) arena_.fill(std::numeric_limits<float>::quiet_NaN());
    pass_ = {&pool_, iteration, jitter};
    ran_ = false;
    if (clock_) clock_->start();
    for (std::size_t i = 0; i < lowered_.steps.size(); ++i) {
      if (cancel.stop_requested()) return false;
      poison(static_cast<int>(i), true);
      lowered_.steps[i]->forward(pass_);
      poison(static_cast<int>(i), false);
      if (clock_) clock_->forward_done(i);
    }
    if (clock_) clock_->count_iteration();
    return ran_ = !cancel.stop_requested();
  }

  bool run_backward(NodeId node, TensorView cotangent, const std::stop_token& cancel) {
    pass_.from = node;
    pass_.cotangent = cotangent.data;
    int time = static_cast<int>(lowered_.steps.size());
    poison(time, true);
    if (graph_.loss())
      if (const Place& seed = lowered_.grad[index(*graph_.loss())])
        *seed.view().data = node == graph_.loss() ? *cotangent.data : 0.f;
    if (clock_) clock_->start();
    for (std::size_t i = lowered_.steps.size(); i-- > 0;) {
      if (cancel.stop_requested()) return false;
      lowered_.steps[i]->backward(pass_);
      poison(time, false);
      poison(++time, true);
      if (clock_) clock_->backward_done(i);
    }
    return !cancel.stop_requested();
  }

  /// Of the loss, which is returned; nothing if cancelled.
  std::optional<float> gradients_of(std::int64_t iteration, const std::stop_token& cancel) {
    if (!run_forward(iteration, true, cancel)) return std::nullopt;
    const float value = loss(), one = 1.f;
    if (!std::isfinite(value)) return value;
    ran_ = false;
    if (!run_backward(*graph_.loss(), {&one, {}}, cancel)) return std::nullopt;
    return value;
  }

  NodeId require_loss(const char* where) const {
    if (!graph_.loss())
      fail(ErrorCode::bad_argument, "{}: the graph has no loss; call set_loss", where);
    return *graph_.loss();
  }

  static std::size_t index(NodeId id) { return static_cast<std::size_t>(id.index); }
  const Place& place(NodeId id) const { return lowered_.value[index(id)]; }

  static constexpr std::size_t kChunk = 1 << 15;
  int chunk_count() const { return static_cast<int>((values_.count() + kChunk - 1) / kChunk); }
  /// Calls body(chunk, first, count) for chunks of the flat buffers, in parallel.
  template <class Body>
  void for_chunks(const Body& body) {
    pool_.run(chunk_count(), [&](int chunk, int) {
      const std::size_t begin = static_cast<std::size_t>(chunk) * kChunk;
      body(chunk, begin, std::min(kChunk, values_.count() - begin));
    });
  }
  /// L2 norm of all gradients, summed in an order that no thread count changes.
  double gradient_norm() {
    for_chunks([&](int chunk, std::size_t begin, std::size_t count) {
      squares_[static_cast<std::size_t>(chunk)] = sum_squares(grads_.get() + begin, count);
    });
    return std::sqrt(std::accumulate(squares_.begin(), squares_.end(), 0.0));
  }

  void make_params(std::uint64_t seed) {
    const std::size_t total = layout_.floats();
    for (AlignedFloats* buffer : {&values_, &grads_, &m_, &v_}) {
      *buffer = AlignedFloats(total);
      buffer->fill(0.f);
    }
    squares_.resize(static_cast<std::size_t>(chunk_count()));
    std::vector<Tensor> start;
    for (const Param& p : graph_.params()) start.push_back(draw(p, seed));
    from_tensors(start, values_);
    if (options_.ema_decay > 0) {
      averages_ = AlignedFloats(total);
      std::copy_n(values_.get(), total, averages_.get());
    }
    for (std::size_t i = 0; i < graph_.params().size(); ++i) {
      const bool frozen = graph_.params()[i].frozen;  // its gradient stays 0, so it never changes
      places_.push_back(
          {values_.get() + layout_.offset(i), frozen ? nullptr : grads_.get() + layout_.offset(i)});
    }
  }

  void place_buffers() {
    const MemoryPlan memory = plan_memory(graph_, lowered_);
    try {
      arena_ = AlignedFloats(memory.arena);
      fixed_ = AlignedFloats(memory.fixed);
    } catch (const std::bad_alloc&) {
      fail(ErrorCode::too_large,
           "engine 'cpu': the fit needs {} MiB, more than this machine gives; use a smaller "
           "picture or network",
           bytes_of(memory, values_.count(), options_) >> 20);
    }
    fixed_.fill(0.f);
    for (const auto& [buffer, offset] : memory.in_arena) buffer->data = arena_.get() + offset;
    for (const auto& [buffer, offset] : memory.in_fixed) buffer->data = fixed_.get() + offset;
    if (options_.poison) in_arena_ = memory.in_arena;
  }

  /// For tests: a buffer holds NaN before its first use, and again after its last.
  void poison(int time, bool begins) {
    if (!options_.poison) return;
    for (const auto& [buffer, offset] : in_arena_)
      for (const Buffer::Span& span : {buffer->span, buffer->again})
        if ((begins ? span.first : span.last) == time)
          std::fill_n(buffer->data, buffer->floats, std::numeric_limits<float>::quiet_NaN());
  }

  std::vector<Tensor> to_tensors(const AlignedFloats& flat) const {
    return layout_.to_tensors(flat.get());
  }
  void from_tensors(const std::vector<Tensor>& tensors, AlignedFloats& flat) const {
    layout_.from_tensors(tensors, flat.get());
  }

  Graph graph_;
  CompileOptions options_;
  ThreadPool pool_;
  bool ran_ = false;   ///< forward, and no backward since
  Pass pass_{&pool_};  ///< of the last forward; backward makes the same jitter again
  ParamLayout layout_{graph_};
  AlignedFloats values_, grads_, m_, v_, averages_, arena_, fixed_;
  std::vector<double> squares_;  ///< of gradients, per chunk
  std::vector<ParamPlace> places_;
  Lowered lowered_;
  MemoryPlan::Offsets in_arena_;  ///< for poisoning
  std::optional<StepClock> clock_;
  std::int64_t updates_ = 0;
};

}  // namespace

std::size_t program_bytes(const Graph& graph, const CompileOptions& options) {
  float somewhere = 0;  // parameters need an address, which planning never follows
  const std::vector<ParamPlace> params(graph.params().size(), {&somewhere, &somewhere});
  Lowered lowered = lower(graph, params, options);
  return bytes_of(plan_memory(graph, lowered), ParamLayout(graph).floats(), options);
}

std::unique_ptr<Program> make_program(const Graph& graph, const CompileOptions& options) {
  return std::make_unique<CpuProgram>(graph, options);
}

}  // namespace unmar::cpu
