#include "engine/onednn/program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>

#include "base/fail.h"
#include "engine/adam.h"
#include "engine/onednn/kernels.h"
#include "engine/onednn/layout.h"
#include "engine/onednn/lower.h"

namespace unmar::cpu {
namespace {

/// 64-byte aligned floats, not touched before their first use.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::size_t count)
      : data_(static_cast<float*>(::operator new[](count * sizeof(float), kAlign))),
        count_(count) {}
  float* get() const { return data_.get(); }
  std::size_t count() const { return count_; }
  void fill(float value) { std::fill_n(data_.get(), count_, value); }

 private:
  static constexpr std::align_val_t kAlign{64};
  struct Free {
    void operator()(float* p) const { ::operator delete[](p, kAlign); }
  };
  std::unique_ptr<float[], Free> data_;
  std::size_t count_ = 0;
};

constexpr std::size_t padded(std::size_t floats) { return (floats + 15) / 16 * 16; }

class CpuProgram : public Program {
 public:
  CpuProgram(const Graph& graph, const CompileOptions& options)
      : graph_(graph), options_(options), pool_(options.threads) {
    make_params(options.seed);
    lowered_ = lower(graph_, places_, options.seed, pool_.threads());
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

  void forward(std::int64_t iteration, bool jitter) override {
    if (options_.poison) arena_.fill(std::numeric_limits<float>::quiet_NaN());
    pass_ = {&pool_, iteration, jitter};
    for (const auto& step : lowered_.steps) step->forward(pass_);
  }

  void backward() override {
    if (!graph_.loss())
      fail(ErrorCode::bad_argument, "backward: the graph has no loss; call set_loss");
    if (const Place& seed = lowered_.grad[index(*graph_.loss())]) *seed.view().data = 1.f;
    for (auto step = lowered_.steps.rbegin(); step != lowered_.steps.rend(); ++step)
      (*step)->backward(pass_);
  }

  float step(const Adam& adam, std::int64_t iteration) override {
    forward(iteration, true);
    const float value = loss();
    if (!std::isfinite(value)) return value;
    backward();
    const double norm = adam.clip_norm > 0 ? gradient_norm() : 0.0;
    if (!std::isfinite(norm)) return static_cast<float>(norm);
    const AdamStep update(adam, ++updates_, norm);
    const float share = average_share(options_.ema_decay, updates_);
    for_chunks([&](int, std::size_t begin, std::size_t count) {
      adam_update(values_.get() + begin, m_.get() + begin, v_.get() + begin, grads_.get() + begin,
                  count, update);
      if (averages_.count() > 0)
        approach(averages_.get() + begin, values_.get() + begin, share, count);
    });
    return value;
  }

  float loss() const override {
    if (!graph_.loss()) fail(ErrorCode::bad_argument, "loss: the graph has no loss; call set_loss");
    return *place(*graph_.loss()).view().data;
  }
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
           "read_input_grad: '{}' is not an input with needs_grad that reaches the loss",
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

 private:
  static View dense_view(float* data, const Shape& s) { return {data, s.n, s.h, s.w, s.c, s.c}; }
  static std::size_t index(NodeId id) { return static_cast<std::size_t>(id.index); }
  const Place& place(NodeId id) const { return lowered_.value[index(id)]; }
  const Op& op_of(const Param& p) const { return graph_.node(p.node).op; }
  /// The kernels of a node come before its bias.
  bool is_first(const Param& p) const {
    return &p == &graph_.params()[static_cast<std::size_t>(graph_.node(p.node).params[0])];
  }
  /// [out][in][taps] in the documents, [taps][in][out] in the flat buffers.
  bool is_conv_weight(const Param& p) const {
    return std::holds_alternative<Conv2d>(op_of(p)) && is_first(p);
  }
  /// NCHW in the documents, NHWC in the flat buffers; a transposed convolution's weight is
  /// [in][out][taps] and [in][taps][out] likewise.
  bool is_channels_last(const Param& p) const {
    return std::holds_alternative<Learned>(op_of(p)) ||
           (std::holds_alternative<ConvTranspose2d>(op_of(p)) && is_first(p));
  }

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
    std::size_t total = 0;
    for (const Param& p : graph_.params()) {
      offsets_.push_back(total);
      total += padded(p.shape.count());
    }
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
    for (std::size_t i = 0; i < offsets_.size(); ++i) {
      const bool frozen = graph_.params()[i].frozen;  // its gradient stays 0, so it never changes
      places_.push_back(
          {values_.get() + offsets_[i], frozen ? nullptr : grads_.get() + offsets_[i]});
    }
  }

  /// Times: forward of step i is i, its backward 2 n - 1 - i; what is read afterwards lives until 2
  /// n.
  void place_buffers() {
    const int n = static_cast<int>(lowered_.steps.size());
    for (int i = 0; i < n; ++i) {
      const Uses uses = lowered_.steps[static_cast<std::size_t>(i)]->uses();
      for (Buffer* b : uses.forward) b->use(i);
      for (Buffer* b : uses.backward) b->use(2 * n - 1 - i, true);
    }
    std::size_t fixed = 0;
    std::vector<std::pair<Buffer*, std::size_t>> fixed_places;
    const auto fix = [&](const Place& p) {
      if (!p) return;
      fixed_places.emplace_back(p.buffer, fixed);
      fixed += padded(p.buffer->floats);
    };
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      const NodeId id{static_cast<int>(i)};
      const bool is_input = std::holds_alternative<Input>(node.op);
      if (is_input || std::holds_alternative<Constant>(node.op)) fix(lowered_.value[i]);
      if (is_input) fix(lowered_.grad[i]);
      if (graph_.kept(id) || graph_.loss() == id) lowered_.value[i].buffer->use(2 * n);
      if (graph_.loss() == id && lowered_.grad[i]) lowered_.grad[i].buffer->use(n);
    }

    std::vector<const Buffer*> planned;
    std::vector<Buffer*> movable;
    for (Buffer& b : lowered_.buffers.all()) {
      const bool is_fixed = std::any_of(fixed_places.begin(), fixed_places.end(),
                                        [&](const auto& f) { return f.first == &b; });
      if (is_fixed || b.data) continue;
      planned.push_back(&b);
      movable.push_back(&b);
    }
    const Planned result = plan(planned);
    try {
      arena_ = AlignedFloats(result.floats);
      fixed_ = AlignedFloats(fixed);
    } catch (const std::bad_alloc&) {
      fail(ErrorCode::too_large,
           "engine 'onednn': the fit needs {} MiB, more than this machine gives; use a smaller "
           "picture or network",
           (result.floats + fixed) * sizeof(float) >> 20);
    }
    fixed_.fill(0.f);
    for (std::size_t i = 0; i < movable.size(); ++i)
      movable[i]->data = arena_.get() + result.offsets[i];
    for (const auto& [buffer, offset] : fixed_places) buffer->data = fixed_.get() + offset;
  }

  std::vector<Tensor> to_tensors(const AlignedFloats& flat) const {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < graph_.params().size(); ++i) {
      tensors.emplace_back(graph_.params()[i].shape);
      float* from = flat.get() + offsets_[i];
      const Param& p = graph_.params()[i];
      if (is_conv_weight(p))
        weights_from_engine(from, tensors.back());
      else if (is_channels_last(p))
        from_channels_last(dense_view(from, p.shape), tensors.back());
      else
        std::copy_n(from, tensors.back().count(), tensors.back().data());
    }
    return tensors;
  }
  void from_tensors(const std::vector<Tensor>& tensors, AlignedFloats& flat) const {
    if (tensors.size() != graph_.params().size())
      fail(ErrorCode::bad_argument, "restore: {} tensors for {} parameters", tensors.size(),
           graph_.params().size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const Param& p = graph_.params()[i];
      if (tensors[i].shape() != p.shape)
        fail(ErrorCode::bad_argument, "restore: '{}' is {}, got {}", p.name, to_string(p.shape),
             to_string(tensors[i].shape()));
      float* to = flat.get() + offsets_[i];
      if (is_conv_weight(p))
        weights_to_engine(tensors[i], to);
      else if (is_channels_last(p))
        to_channels_last(tensors[i], dense_view(to, p.shape));
      else
        std::copy_n(tensors[i].data(), tensors[i].count(), to);
    }
  }

  Graph graph_;
  CompileOptions options_;
  ThreadPool pool_;
  Pass pass_{&pool_};                 ///< of the last forward; backward makes the same jitter again
  std::vector<std::size_t> offsets_;  ///< of each parameter in the flat buffers
  AlignedFloats values_, grads_, m_, v_, averages_, arena_, fixed_;
  std::vector<double> squares_;  ///< of gradients, per chunk
  std::vector<ParamPlace> places_;
  Lowered lowered_;
  std::int64_t updates_ = 0;
};

}  // namespace

std::unique_ptr<Program> make_program(const Graph& graph, const CompileOptions& options) {
  return std::make_unique<CpuProgram>(graph, options);
}

}  // namespace unmar::cpu
