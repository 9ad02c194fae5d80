#include "engine/plan/node_plan.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/plan/reach.h"
#include "unmar/engine/engine.h"

namespace unmar {
namespace {

/// The plan while it is made: each pass fills in some fields from the graph and those before.
class Draft {
 public:
  Draft(const Graph& graph, std::span<const NodeId> roots, const PlanLimits& limits)
      : g_(graph), roots_(roots), limits_(limits), plan_(graph.nodes().size()) {}

  std::vector<NodePlan> run() {
    count_readers();
    find_gradients();
    fuse_norms_with_activations();
    let_readers_work_out_norms();
    write_into_concats_and_sums();
    put_gradients_in_place();
    if (limits_.recomputes) recompute_enlarged_values();
    return std::move(plan_);
  }

 private:
  std::size_t count() const { return plan_.size(); }
  static NodeId id(std::size_t i) { return {static_cast<int>(i)}; }
  const Node& node(NodeId n) const { return g_.node(n); }
  NodePlan& at(NodeId n) { return plan_[static_cast<std::size_t>(n.index)]; }
  const NodePlan& at(NodeId n) const { return plan_[static_cast<std::size_t>(n.index)]; }
  template <class T>
  bool is(NodeId n) const {
    return std::holds_alternative<T>(node(n).op);
  }

  void count_readers() {
    for (const Node& n : g_.nodes())
      for (const NodeId s : n.src) ++at(s).readers;
    for (const NodeId root : roots_) ++at(root).readers;
  }

  void find_gradients() {
    const std::vector<bool> has = nodes_with_gradient(g_, roots_);
    for (std::size_t i = 0; i < count(); ++i) plan_[i].has_grad = has[i];
  }

  void fuse_norms_with_activations() {
    for (std::size_t i = 0; i < count(); ++i) {
      if (!is<Activation>(id(i))) continue;
      const NodeId norm = node(id(i)).src[0];
      if (!is<Norm>(norm) || at(norm).readers != 1 || g_.kept(norm)) continue;
      at(norm).fused_into = id(i);
      at(norm).stored = false;
    }
  }
  bool fused(NodeId n) const { return at(n).fused_into.valid(); }
  bool is_norm_with_activation(NodeId n) const {
    return is<Activation>(n) && fused(node(n).src[0]);
  }

  /// Readers work a value out up to nine times, so the activation has to be cheap.
  void let_readers_work_out_norms() {
    const auto cheap = [&](NodeId n) {
      const ActivationKind kind = std::get<Activation>(node(n).op).kind;
      return kind == ActivationKind::relu || kind == ActivationKind::leaky_relu;
    };
    std::vector<bool> left_out(count());
    for (std::size_t i = 0; i < count(); ++i) {
      const NodeId n = id(i);
      left_out[i] = (is_norm_with_activation(n) && cheap(n)) || (is<Norm>(n) && !fused(n));
      if (g_.kept(n) || at(n).readers == 0) left_out[i] = false;
    }
    for (std::size_t i = 0; i < count(); ++i)
      if (!is<Conv2d>(id(i)) && !is<Linear>(id(i)))
        for (const NodeId s : node(id(i)).src) left_out[static_cast<std::size_t>(s.index)] = false;
    for (const NodeId root : roots_) left_out[static_cast<std::size_t>(root.index)] = false;
    for (std::size_t i = 0; i < count(); ++i)
      if (left_out[i]) plan_[i].stored = false;
  }

  /// Its one reader may choose where it lies.
  bool is_own(NodeId n) const {
    const bool lives_elsewhere = is<Input>(n) || is<Constant>(n) || is<Learned>(n);
    return at(n).readers == 1 && !lives_elsewhere;
  }

  /// A sum takes the place of a convolution's result, which nothing needs any more.
  void write_into_concats_and_sums() {
    for (std::size_t i = 0; i < count(); ++i) {
      const Node& n = node(id(i));
      if (is<Concat>(id(i)))
        for (const NodeId s : n.src)
          if (is_own(s) && node(s).shape.h == n.shape.h && node(s).shape.w == n.shape.w)
            at(s).value_in = id(i);
      if (is<Add>(id(i)) && is_own(n.src[0]) && is<Conv2d>(n.src[0]) && !g_.kept(n.src[0]))
        at(n.src[0]).value_in = id(i);
    }
  }
  bool in_concat(NodeId n) const { return at(n).value_in.valid() && is<Concat>(at(n).value_in); }

  const std::vector<NodeId>& sources(NodeId n) const {
    return is_norm_with_activation(n) ? node(node(n).src[0]).src : node(n).src;
  }

  /// The gradient of a sum is that of its first source. That of a norm, or of a convolution of
  /// single pixels, is computed pixel by pixel or strip by strip, and nothing else reads either.
  void put_gradients_in_place() {
    for (std::size_t i = 0; i < count(); ++i) {
      const NodeId n = id(i);
      if (fused(n)) continue;
      const auto* conv = std::get_if<Conv2d>(&node(n).op);
      const bool pointwise =
          limits_.convolves_in_place && conv && conv->kernel == 1 && conv->stride == 1;
      if (!pointwise && !is<Norm>(n) && !is_norm_with_activation(n) && !is<Add>(n)) continue;
      const NodeId source = sources(n)[0];
      const bool fits = is<Add>(n) || g_.shape(source) == node(n).shape;
      if (fits && at(source).has_grad && is_own(source)) at(source).grad_in = n;
    }
  }

  bool enlarges(NodeId n) const {
    return is<Linear>(n) && node(n).shape.count() > g_.shape(node(n).src[0]).count();
  }
  /// A step of one pass over pixels, which costs little once more.
  bool is_cheap_step(NodeId n) const {
    return is<Linear>(n) || is<Norm>(n) || is_norm_with_activation(n);
  }
  /// An up-sampled value is larger than what it was made of: it is worked out again rather than
  /// kept, together with the concat around it. So is jitter.
  bool recomputes(NodeId n) const {
    if (roots_.empty() || g_.kept(n) || !at(n).stored || in_concat(n)) return false;
    if (!is<Concat>(n)) return is<Jitter>(n) || enlarges(n);
    bool any = false;
    for (const NodeId s : node(n).src) {
      if (at(s).value_in != n) continue;  // copied, by a cheap step
      if (!is_cheap_step(s) || g_.kept(s)) return false;
      any = any || enlarges(s);
    }
    return any;
  }
  void recompute_enlarged_values() {
    std::vector<bool> again(count(), false);
    for (std::size_t i = 0; i < count(); ++i) {
      if (!recomputes(id(i))) continue;
      again[i] = true;
      for (const NodeId s : node(id(i)).src)
        if (in_concat(s)) again[static_cast<std::size_t>(s.index)] = true;
    }
    std::vector<int> last(count(), -1);  // reader, also through others that read for it
    for (std::size_t i = count(); i-- > 0;)
      for (const NodeId s : node(id(i)).src) {
        int& reader = last[static_cast<std::size_t>(s.index)];
        const bool reads_through = !plan_[i].stored || again[i];
        reader = std::max({reader, static_cast<int>(i), reads_through ? last[i] : -1});
      }
    for (std::size_t i = 0; i < count(); ++i)
      if (recomputes(id(i))) plan_[i].recompute_at = last[i];
  }

  const Graph& g_;
  std::span<const NodeId> roots_;
  PlanLimits limits_;
  std::vector<NodePlan> plan_;
};

}  // namespace

GraphPlan::GraphPlan(const Graph& graph, std::span<const NodeId> roots, const PlanLimits& limits)
    : graph_(graph), nodes_(Draft(graph, roots, limits).run()) {}

const std::vector<NodeId>& GraphPlan::sources(NodeId n) const {
  const Node& node = graph_.node(n);
  const bool fused =
      std::holds_alternative<Activation>(node.op) && (*this)[node.src[0]].fused_into == n;
  return fused ? graph_.node(node.src[0]).src : node.src;
}

std::string plan_text(const Graph& graph) {
  const std::vector<NodeId> roots = backward_roots(graph, {});
  const GraphPlan plan(graph, roots);
  std::string text;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const NodeId id{static_cast<int>(i)};
    const Node& node = graph.node(id);
    const NodePlan& p = plan[id];
    const auto name = [&](NodeId n) { return graph.node(n).name; };
    std::vector<std::string> notes;
    if (p.fused_into.valid())
      notes.push_back(fmt::format("computed with '{}'", name(p.fused_into)));
    else if (!p.stored)
      notes.emplace_back("worked out by its readers");
    if (p.value_in.valid()) notes.push_back(fmt::format("written into '{}'", name(p.value_in)));
    if (p.recompute_at >= 0)
      notes.push_back(fmt::format("made again for backward of '{}'", name({p.recompute_at})));
    if (p.grad_in.valid())
      notes.push_back(fmt::format("gradient in place of that of '{}'", name(p.grad_in)));
    if (!roots.empty() && !p.has_grad) notes.emplace_back("no gradient");
    text += fmt::format("{:<24} {:<14} {:<18} {}\n", node.name, op_name(node.op),
                        to_string(node.shape), fmt::join(notes, "; "));
    while (text.size() > 1 && text[text.size() - 2] == ' ') text.erase(text.size() - 2, 1);
  }
  return text;
}

}  // namespace unmar
