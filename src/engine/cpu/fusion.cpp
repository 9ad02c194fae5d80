#include "engine/cpu/fusion.h"

#include <algorithm>

#include "engine/cpu/kernels.h"
#include "engine/plan/reach.h"

namespace unmar::cpu {
namespace {

bool lives_elsewhere(const Op& op) {
  return std::holds_alternative<Input>(op) || std::holds_alternative<Constant>(op) ||
         std::holds_alternative<Learned>(op);
}

}  // namespace

Fusion::Fusion(const Graph& graph, std::span<const NodeId> roots)
    : g_(graph),
      has_backward_(!roots.empty()),
      readers_(count(), 0),
      fused_(count(), false),
      folded_(count(), false),
      has_grad_(nodes_with_gradient(graph, roots)),
      placed_in_concat_(count(), false),
      last_reader_(count(), -1) {
  for (const Node& n : g_.nodes())
    for (const NodeId s : n.src) ++readers_[at(s)];
  for (const NodeId root : roots) ++readers_[at(root)];
  find_fused();
  find_folded();
  for (const Node& n : g_.nodes())
    if (std::holds_alternative<Concat>(n.op))
      for (const NodeId s : n.src) placed_in_concat_[at(s)] = into_concat(n, s);
  find_last_readers();
}

void Fusion::find_fused() {
  for (const Node& n : g_.nodes())
    if (std::holds_alternative<Activation>(n.op)) {
      const NodeId src = n.src[0];
      fused_[at(src)] =
          std::holds_alternative<Norm>(node(src).op) && readers_[at(src)] == 1 && !g_.kept(src);
    }
}

/// Readers work a norm out nine times for some pixels, so the activation has to be cheap.
void Fusion::find_folded() {
  for (std::size_t i = 0; i < count(); ++i) {
    const Node& n = node(id(i));
    const auto* act = std::get_if<Activation>(&n.op);
    folded_[i] = act ? is_fused_activation(n) && is_cheap(to_act(*act))
                     : std::holds_alternative<Norm>(n.op) && !fused_[i];
    if (g_.kept(id(i)) || readers_[i] == 0) folded_[i] = false;
  }
  for (const Node& n : g_.nodes())
    if (!std::holds_alternative<Conv2d>(n.op) && !std::holds_alternative<Resize>(n.op))
      for (const NodeId s : n.src)
        if (!fused_[at(s)]) folded_[at(s)] = false;
}

bool Fusion::is_fused_activation(const Node& n) const {
  return std::holds_alternative<Activation>(n.op) && fused_[at(n.src[0])];
}

const std::vector<NodeId>& Fusion::sources(const Node& n) const {
  return is_fused_activation(n) ? node(n.src[0]).src : n.src;
}

/// Its one reader may choose where it lies.
bool Fusion::is_own(NodeId source) const {
  return readers_[at(source)] == 1 && !lives_elsewhere(node(source).op);
}

bool Fusion::into_concat(const Node& concat, NodeId source) const {
  const Shape& s = g_.shape(source);
  return is_own(source) && s.h == concat.shape.h && s.w == concat.shape.w;
}

bool Fusion::grad_in_place(const Node& n) const {
  const auto* conv = std::get_if<Conv2d>(&n.op);
  const bool pointwise = conv && conv->kernel == 1 && conv->stride == 1;
  if (!pointwise && !std::holds_alternative<Norm>(n.op) && !is_fused_activation(n)) return false;
  const NodeId source = sources(n)[0];
  return g_.shape(source) == n.shape && has_grad_[at(source)] && is_own(source);
}

bool Fusion::sum_grad_in_place(const Node& sum) const {
  return std::holds_alternative<Add>(sum.op) && is_own(sum.src[0]) && has_grad_[at(sum.src[0])];
}

bool Fusion::sum_in_place(const Node& sum) const {
  if (!std::holds_alternative<Add>(sum.op)) return false;
  const NodeId a = sum.src[0];
  return is_own(a) && std::holds_alternative<Conv2d>(node(a).op) && !g_.kept(a);
}

bool Fusion::enlarges(NodeId n) const {
  return std::holds_alternative<Resize>(node(n).op) &&
         node(n).shape.count() > g_.shape(node(n).src[0]).count();
}

/// Steps of one pass over pixels, which cost little once more.
bool Fusion::is_cheap_step(NodeId n) const {
  const Op& op = node(n).op;
  return std::holds_alternative<Resize>(op) || std::holds_alternative<Pad>(op) ||
         std::holds_alternative<CenterCrop>(op) || std::holds_alternative<Norm>(op) ||
         is_fused_activation(node(n));
}

/// An up-sampled value is larger than what it was made of: it is worked out again for backward
/// rather than kept, together with the concat around it. So is jitter.
bool Fusion::recomputes(NodeId n) const {
  if (!has_backward_ || g_.kept(n) || fused(n) || folded(n) || placed_in_concat_[at(n)])
    return false;
  if (!std::holds_alternative<Concat>(node(n).op))
    return std::holds_alternative<Jitter>(node(n).op) || enlarges(n);
  bool any = false;
  for (const NodeId s : node(n).src) {
    if (!into_concat(node(n), s)) continue;  // copied, by a cheap step
    if (!is_cheap_step(s) || g_.kept(s)) return false;
    any = any || enlarges(s);
  }
  return any;
}

void Fusion::find_last_readers() {
  std::vector<bool> remade(count(), false);
  for (std::size_t i = 0; i < count(); ++i) {
    if (!recomputes(id(i))) continue;
    remade[i] = true;
    for (const NodeId s : node(id(i)).src)
      if (placed_in_concat_[at(s)]) remade[at(s)] = true;
  }
  std::vector<int> last(count(), -1);
  for (std::size_t i = count(); i-- > 0;)
    for (const NodeId s : node(id(i)).src) {
      const bool reads_through = fused_[i] || folded_[i] || remade[i];
      last[at(s)] = std::max({last[at(s)], static_cast<int>(i), reads_through ? last[i] : -1});
    }
  for (std::size_t i = 0; i < count(); ++i)
    if (recomputes(id(i))) last_reader_[i] = last[i];
}

}  // namespace unmar::cpu
