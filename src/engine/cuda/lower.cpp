#include "engine/cuda/lower.h"

#include "engine/cuda/lower/operands.h"
#include "engine/cuda/lower/storage.h"
#include "engine/plan/reach.h"

namespace unmar::cuda {
namespace {

NodeId id(std::size_t i) { return {static_cast<int>(i)}; }

/// Where a value does not fit into a band, memory matters more than a pass over some of them: what
/// costs little is worked out again, the gradient in front of a norm is written over the one behind
/// it, so that the convolution's value can go, and bands are half as large.
bool is_large(const Graph& graph, const CompileOptions& options) {
  const Element element = options.precision == Precision::bf16 ? Element::bf16 : Element::fp32;
  return std::ranges::any_of(graph.nodes(), [&](const Node& node) {
    return node.shape.count() * bytes_of(element) > options.band_bytes;
  });
}

}  // namespace

Lowering::Lowering(const Graph& graph, const std::vector<ParamPlace>& params,
                   const CompileOptions& options)
    : g_(graph),
      params_(params),
      seed_(options.seed),
      precision_(options.precision),
      is_large_(is_large(graph, options)),
      band_bytes_(is_large_ ? options.band_bytes / 2 : options.band_bytes),
      roots_(backward_roots(graph, options.backward_from)),
      plan_(graph, roots_, {.convolves_in_place = false, .recomputes = is_large_}),
      places_(graph, plan_, roots_, out_.buffers,
              choose_elements(graph, plan_, roots_, precision_)),
      bias_is_idle_(count()),
      gradients_(count()),
      moments_(count()),
      cells_(count()),
      makers_(count()),
      weights_(std::make_shared<WeightOperands>()) {
  *weights_ = {make(0), make(0), make(0), {}, {}, 0};
  out_.value = places_.values();
  out_.grad = places_.grads();
  for (std::size_t i = 0; i < count(); ++i) {
    if (!std::holds_alternative<Learned>(node(id(i)).op)) continue;
    out_.value[i].buffer->data = param(node(id(i)), 0).value;
    if (out_.grad[i]) out_.grad[i].buffer->data = param(node(id(i)), 0).grad;
  }
  out_.pass = out_.buffers.make(sizeof(Pass) / sizeof(float));
  std::size_t most = 0;
  for (const NodeId root : roots_) most = std::max(most, g_.shape(root).count());
  out_.cotangent = out_.buffers.make(most);
  find_gradients_in_front();
}

/// Of convolutions whose one reader is a norm that takes out what is added to a channel. Behind
/// other norms a bias may ask for the sum of the gradient in front, which has to be stored then.
void Lowering::find_gradients_in_front() {
  for (std::size_t i = 0; i < count(); ++i) {
    const auto* norm = std::get_if<Norm>(&node(id(i)).op);
    if (!norm || !takes_out_bias(*norm, node(id(i)).shape.c)) continue;
    const NodeId source = node(id(i)).src[0];
    const NodeId result = plan_[id(i)].fused_into.valid() ? plan_[id(i)].fused_into : id(i);
    if (!std::holds_alternative<Conv2d>(node(source).op) || plan_[source].grad_in != result)
      continue;
    bias_is_idle_[at(source)] = true;
    if (!is_large_ && node(source).shape.c % 4 == 0)
      gradients_[at(source)] = std::make_shared<GradientInFront>();
  }
}

Lowered Lowering::run() {
  for (std::size_t i = 0; i < count(); ++i) {
    if (!plan_[id(i)].fused_into.valid())
      std::visit([&](const auto& op) { lower_op(*this, id(i), op); }, node(id(i)).op);
    if (places_.takes_cotangent(id(i))) add_cotangent(id(i));
    // Backward runs these in reverse: what others are made of comes first.
    for (std::size_t r = i; r-- > 0;)
      if (plan_[id(r)].recompute_at == static_cast<int>(i)) add_recompute(id(r));
  }
  weights_->data->floats = std::size_t{weights_->count} * 4;
  fill(weights_->segments, weights_->segment_table);
  fill(weights_->groups, weights_->group_table);
  return std::move(out_);
}

bool Lowering::wants_moments(NodeId n) const {
  if (!std::holds_alternative<Conv2d>(node(n).op)) return false;
  return std::ranges::any_of(g_.nodes(), [&](const Node& node) {
    const auto* norm = std::get_if<Norm>(&node.op);
    return norm && node.src[0] == n && norm->statistics != NormStatistics::fixed;
  });
}

std::pair<Place, NormCells> Lowering::folded_source(NodeId n) const {
  const NodeId source = node(n).src[0];
  if (plan_[source].stored) return {value(source), {}};
  return {value(plan_.sources(source)[0]), cells_[at(source)]};
}

void Lowering::add(NodeId n, Emit forward, Emit backward, Emit again) {
  out_.steps.push_back({n, std::move(forward), std::move(backward), std::move(again)});
}

void Lowering::add_maker(NodeId n, const Emit& forward, Emit backward, Emit again) {
  add(n, forward, std::move(backward), again ? std::move(again) : forward);
  makers_[at(n)].push_back(out_.steps.size() - 1);
}

/// Where backward starts beside the loss.
void Lowering::add_cotangent(NodeId n) {
  const GradPlace d = places_.cotangent(n);
  Buffer *pass = out_.pass, *given = out_.cotangent;
  add(
      n, [](Emitter&) {},
      [=](Emitter& e) {
        const Shape& s = d.place.shape;
        const bool wide = is_wide(d.place);
        const Copy copy{{e.at(given), s.c, 0}, e.values(d.place), s.c, all_pixels_of(s), wide,
                        d.accumulate};
        e.launch<Kernel::put_cotangent>({lane_blocks(s, wide)}, {pass_at(e, pass), copy, n.index});
      });
}

/// Everything that makes the value of n, which is a concat or stands alone.
void Lowering::add_recompute(NodeId n) {
  std::vector<Emit> makers;
  const auto take = [&](NodeId of) {
    for (const std::size_t step : makers_[at(of)]) makers.push_back(out_.steps[step].again);
  };
  take(n);
  if (std::holds_alternative<Concat>(node(n).op))
    for (const NodeId s : node(n).src)
      if (plan_[s].value_in == n) take(s);
  add(
      n, [](Emitter&) {},
      [makers](Emitter& e) {
        for (const Emit& make : makers) make(e);
      });
}

std::vector<Buffer*> Lowered::lasting() const {
  std::vector<Buffer*> buffers{pass, cotangent};
  for (const Table& table : tables) buffers.push_back(table.buffer);
  buffers.insert(buffers.end(), kept.begin(), kept.end());
  return buffers;
}

Lowered lower(const Graph& graph, const std::vector<ParamPlace>& params,
              const CompileOptions& options) {
  return Lowering(graph, params, options).run();
}

}  // namespace unmar::cuda
