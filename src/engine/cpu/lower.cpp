#include "engine/cpu/lower.h"

#include <algorithm>

#include "base/overloaded.h"
#include "base/philox.h"
#include "engine/cpu/conv.h"
#include "engine/cpu/steps.h"
#include "engine/plan/node_plan.h"
#include "engine/plan/reach.h"
#include "unmar/base/process.h"

namespace unmar::cpu {
namespace {

class Lowering {
 public:
  Lowering(const Graph& graph, const std::vector<ParamPlace>& params, const CompileOptions& options)
      : g_(graph),
        params_(params),
        seed_(options.seed),
        threads_(thread_count(options.threads)),
        roots_(backward_roots(graph, options.backward_from)),
        plan_(graph, roots_),
        places_(graph, plan_, roots_, out_.buffers) {
    out_.value = places_.values();
    out_.grad = places_.grads();
    find_learned();
    scales_.resize(count());
    makers_.resize(count());
  }

  Lowered run() {
    for (std::size_t i = 0; i < count(); ++i) {
      current_ = id(i);
      if (!fused(id(i))) lower_node(id(i));
      if (places_.takes_cotangent(id(i))) add(make_cotangent(id(i), places_.cotangent(id(i))));
      // Backward runs these in reverse: what others are made of comes first.
      for (std::size_t r = i; r-- > 0;)
        if (plan_[id(r)].recompute_at == static_cast<int>(i)) add_recompute(id(r));
    }
    return std::move(out_);
  }

 private:
  struct Scales {
    const NormScales* scales = nullptr;
    Act act;
  };

  std::size_t count() const { return g_.nodes().size(); }
  static NodeId id(std::size_t i) { return {static_cast<int>(i)}; }
  const Node& node(NodeId n) const { return g_.node(n); }

  bool fused(NodeId n) const { return plan_[n].fused_into.valid(); }

  GradPlace grad_of(NodeId source, NodeId reader, std::size_t slot) const {
    return places_.grad_of(source, reader, slot);
  }

  /// Learned tensors live among the parameters.
  void find_learned() {
    for (std::size_t i = 0; i < count(); ++i) {
      if (!std::holds_alternative<Learned>(node(id(i)).op)) continue;
      out_.value[i].buffer->data = param(node(id(i)), 0).value;
      if (out_.grad[i]) out_.grad[i].buffer->data = param(node(id(i)), 0).grad;
    }
  }

  UnaryPlaces unary(NodeId n) const {
    const NodeId src = plan_.sources(n)[0];
    return {out_.value[at(src)], out_.value[at(n)], out_.grad[at(n)], grad_of(src, n, 0)};
  }
  BinaryPlaces binary(NodeId n) const {
    const auto& src = node(n).src;
    return {out_.value[at(src[0])], out_.value[at(src[1])], out_.value[at(n)],
            out_.grad[at(n)],       grad_of(src[0], n, 0),  grad_of(src[1], n, 1)};
  }
  ParamPlace param(const Node& n, std::size_t i) const {
    return i < n.params.size() ? params_[static_cast<std::size_t>(n.params[i])] : ParamPlace{};
  }

  Step* add(std::unique_ptr<Step> step) {
    out_.steps.push_back(std::move(step));
    out_.node_of.push_back(current_);
    return out_.steps.back().get();
  }
  /// A step that makes (a part of) the value of n.
  void add_maker(NodeId n, std::unique_ptr<Step> step) {
    makers_[at(n)].push_back(add(std::move(step)));
  }
  void add_linear(NodeId n, LinearMap rows, LinearMap cols, const UnaryPlaces& places,
                  const Scales& norm) {
    add_maker(n, make_linear(std::move(rows), std::move(cols), places, norm.scales, norm.act,
                             out_.buffers, threads_));
  }
  /// What n reads first: if that is a norm that is not stored, its source and the norm.
  std::pair<Place, Scales> folded_source(NodeId n) const {
    const NodeId source = node(n).src[0];
    if (plan_[source].stored) return {out_.value[at(source)], {}};
    return {out_.value[at(plan_.sources(source)[0])], scales_[at(source)]};
  }
  /// Everything that makes the value of n, which is a concat or stands alone.
  void add_recompute(NodeId n) {
    current_ = n;
    std::vector<Step*> steps = makers_[at(n)];
    if (std::holds_alternative<Concat>(node(n).op))
      for (const NodeId s : node(n).src)
        if (plan_[s].value_in == n)
          steps.insert(steps.end(), makers_[at(s)].begin(), makers_[at(s)].end());
    add(make_recompute(std::move(steps)));
  }

  void add_norm(NodeId norm, NodeId result, const Act& act) {
    const Node& n = node(norm);
    const UnaryPlaces p = unary(result);
    NormScales* scales = &out_.norms.emplace_back();
    if (!plan_[result].stored) scales_[at(result)] = {scales, act};
    add_maker(result, make_norm({std::get<Norm>(n.op), act, p.src, p.dst, p.d_dst, p.d_src,
                                 param(n, 0), param(n, 1), param(n, 2), param(n, 3), scales}));
  }

  void add_conv(const Conv2d& o, NodeId n) {
    const Node& nd = node(n);
    const UnaryPlaces p = unary(n);
    const auto [src, norm] = folded_source(n);
    ConvPlaces places{o,       src,     p.dst,        norm.scales, norm.act,
                      p.d_dst, p.d_src, param(nd, 0), param(nd, 1)};
    if (o.kernel == 1 && o.stride == 1 && !norm.scales)  // pictures do not matter: one high one
      for (Place* place : {&places.src, &places.dst, &places.d_dst, &places.d_src.place}) {
        place->shape.h *= place->shape.n;
        place->shape.n = 1;
      }
    add(make_conv(places, out_.buffers, threads_));
  }

  void add_attention(const Attention& o, NodeId n) {
    const auto value = [&](std::size_t slot) { return out_.value[at(node(n).src[slot])]; };
    const auto grad = [&](std::size_t slot) { return grad_of(node(n).src[slot], n, slot); };
    add(make_attention({o.heads, value(0), value(1), value(2), out_.value[at(n)], out_.grad[at(n)],
                        grad(0), grad(1), grad(2)},
                       out_.buffers, threads_));
  }

  /// A 1x1 convolution that makes what each pixel adds, then the blocks side by side, or summed
  /// where they overlap.
  void add_conv_transpose(const ConvTranspose2d& o, NodeId n) {
    const Node& nd = node(n);
    const UnaryPlaces p = unary(n);
    const Shape& src = g_.shape(nd.src[0]);
    const int kernel = kernel_of(o);
    const Shape shape{src.n, o.out_c * kernel * kernel, src.h, src.w};
    const Place blocks = out_.buffers.place(shape);
    const Place d_blocks = p.d_dst ? out_.buffers.place(shape) : Place{};
    add(make_conv({{.out_c = shape.c, .kernel = 1, .bias = false},
                   p.src,
                   blocks,
                   nullptr,
                   {},
                   d_blocks,
                   p.d_src,
                   param(nd, 0),
                   {}},
                  out_.buffers, threads_));
    const UnaryPlaces joined{blocks, p.dst, p.d_dst, {d_blocks}};
    if (makes_blocks(o))
      add(make_shuffle({o.stride, BlockOrder::channels_last, param(nd, 1)}, joined));
    else
      add(make_fold({kernel, o.stride, o.padding, param(nd, 1)}, joined));
  }

  void add_concat(NodeId n) {
    const Shape& dst = node(n).shape;
    int channel = 0;
    for (std::size_t slot = 0; slot < node(n).src.size(); ++slot) {
      const NodeId s = node(n).src[slot];
      const Shape& src = node(s).shape;
      if (plan_[s].value_in != n) {
        const Shape part{dst.n, src.c, dst.h, dst.w};
        const Place d_dst = out_.grad[at(n)] ? slice(out_.grad[at(n)], channel, part) : Place{};
        add_linear(n, crop_map(src.h, dst.h), crop_map(src.w, dst.w),
                   {out_.value[at(s)], slice(out_.value[at(n)], channel, part), d_dst,
                    grad_of(s, n, slot)},
                   {});
      }
      channel += src.c;
    }
  }

  void lower_node(NodeId n) {
    const Node& nd = node(n);
    std::visit(Overloaded{
                   [](const Input&) {},
                   [](const Constant&) {},
                   [](const Learned&) {},
                   [&](const Jitter& o) {
                     add_maker(n, make_jitter(o.sigma, stream_key(seed_, nd.name), unary(n)));
                   },
                   [&](const Dropout& o) {
                     add(make_dropout(o.rate, stream_key(seed_, nd.name), unary(n)));
                   },
                   [&](const TimeEmbedding& o) { add(make_time_embedding(o, unary(n))); },
                   [&](const Attention& o) { add_attention(o, n); },
                   [&](const Conv2d& o) { add_conv(o, n); },
                   [&](const ConvTranspose2d& o) { add_conv_transpose(o, n); },
                   [&](const PixelShuffle& o) {
                     add(make_shuffle({o.factor, BlockOrder::channels_first, {}}, unary(n)));
                   },
                   [&](const MaxPool& o) { add(make_max_pool(o.factor, unary(n), threads_)); },
                   [&](const Linear& o) {
                     UnaryPlaces p = unary(n);
                     const auto [from, norm] = folded_source(n);
                     p.src = from;
                     add_linear(n, *o.rows, *o.cols, p, norm);
                   },
                   [&](const Filter& o) { add(make_filter(o, unary(n), out_.buffers, threads_)); },
                   [&](const Concat&) { add_concat(n); },
                   [&](const Norm&) { add_norm(n, n, {}); },
                   [&](const Activation& o) {
                     if (fused(nd.src[0])) return add_norm(nd.src[0], n, to_act(o));
                     add(make_activation(to_act(o), unary(n)));
                   },
                   [&](const Add&) { add(make_add(binary(n))); },
                   [&](const Multiply&) { add(make_multiply(binary(n))); },
                   [&](const Mse&) { add(make_mse(binary(n))); },
                   [&](const L1&) { add(make_l1(binary(n))); },
                   [&](const BceWithLogits&) { add(make_bce_with_logits(binary(n))); },
                   [&](const TotalVariation& o) { add(make_total_variation(o, unary(n))); },
                   [&](const WeightedSum& o) {
                     SumPlaces p{o.weights, {}, {}, out_.value[at(n)], out_.grad[at(n)]};
                     for (std::size_t slot = 0; slot < nd.src.size(); ++slot) {
                       p.src.push_back(out_.value[at(nd.src[slot])]);
                       p.d_src.push_back(grad_of(nd.src[slot], n, slot));
                     }
                     add(make_weighted_sum(p));
                   },
               },
               nd.op);
  }

  const Graph& g_;
  const std::vector<ParamPlace>& params_;
  std::uint64_t seed_;
  int threads_;
  std::vector<NodeId> roots_;
  GraphPlan plan_;
  Lowered out_;
  Places places_;
  std::vector<Scales> scales_;  ///< of norms that are not stored
  std::vector<std::vector<Step*>> makers_;
  NodeId current_;  ///< whose steps are being added
};

}  // namespace

Lowered lower(const Graph& graph, const std::vector<ParamPlace>& params,
              const CompileOptions& options) {
  return Lowering(graph, params, options).run();
}

MemoryPlan plan_memory(const Graph& graph, Lowered& lowered) {
  const int n = static_cast<int>(lowered.steps.size());
  for (int i = 0; i < n; ++i) {
    const Uses uses = lowered.steps[static_cast<std::size_t>(i)]->uses();
    for (Buffer* b : uses.forward) b->use(i);
    for (Buffer* b : uses.backward) b->use(2 * n - 1 - i, true);
  }
  return unmar::plan_memory(graph, lowered.value, lowered.grad, lowered.buffers, n);
}

}  // namespace unmar::cpu
