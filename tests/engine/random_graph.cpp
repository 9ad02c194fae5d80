#include "engine/random_graph.h"

#include <algorithm>
#include <random>

#include "unmar/base/random.h"

namespace unmar::test {
namespace {

class Drawing {
 public:
  explicit Drawing(unsigned seed) : random_(seed), seed_(seed) {}

  CaseGraph draw() {
    nodes_.push_back(input("x", {1, below(3) + 1, below(12) + 9, below(12) + 9}));
    if (below(2) == 0) nodes_.push_back(learned({1, 4, below(9) + 9, below(9) + 9}));
    for (int i = below(20) + 8; i > 0; --i) nodes_.push_back(keep_now_and_then(add_op()));
    // The last ones together, so that the loss sees most of the graph.
    std::vector<NodeId> last(nodes_.end() - std::min<std::ptrdiff_t>(3, ssize()), nodes_.end());
    last.push_back(nodes_[0]);
    NodeId out = g_.graph.add(Concat{}, last);
    out = g_.graph.add(Conv2d{.out_c = 3, .kernel = 1}, {out});
    g_.graph.keep(out);
    Tensor target(g_.graph.shape(out));
    Random(seed_, "target").uniform(target.values(), -1.f, 1.f);
    const NodeId y =
        g_.graph.add(Constant{std::make_shared<const Tensor>(std::move(target))}, {}, "target");
    g_.graph.set_loss(g_.graph.add(Mse{}, {out, y}, "loss"));
    return std::move(g_);
  }

 private:
  int below(int n) { return std::uniform_int_distribution(0, n - 1)(random_); }
  std::ptrdiff_t ssize() const { return static_cast<std::ptrdiff_t>(nodes_.size()); }
  NodeId input(const std::string& name, const Shape& shape) {
    Tensor value(shape);
    Random(seed_, name).uniform(value.values(), -1.f, 1.f);
    const NodeId id = g_.graph.add(Input{shape, below(2) == 0}, {}, name);
    g_.inputs.emplace_back(id, std::move(value));
    return id;
  }
  NodeId learned(const Shape& shape) {
    auto start = std::make_shared<Tensor>(shape);
    Random(seed_, "start").uniform(start->values(), -1.f, 1.f);
    return g_.graph.add(Learned{std::move(start)}, {}, "learned");
  }
  NodeId keep_now_and_then(NodeId id) {
    if (below(8) == 0) g_.graph.keep(id);
    return id;
  }

  /// Mostly one of the latest, so that chains grow.
  NodeId any() {
    const int back = below(3) > 0 ? below(2) : below(static_cast<int>(nodes_.size()));
    return nodes_[static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, ssize() - 1 - back))];
  }
  NodeId add(Op op, std::vector<NodeId> src) { return g_.graph.add(std::move(op), std::move(src)); }
  /// Both cut to the size that they share.
  std::vector<NodeId> of_one_size(NodeId a, NodeId b) {
    const Shape sa = g_.graph.shape(a), sb = g_.graph.shape(b);
    const int h = std::min(sa.h, sb.h), w = std::min(sa.w, sb.w);
    return {add(Linear::center_crop(sa, h, w), {a}), add(Linear::center_crop(sb, h, w), {b})};
  }
  int few_or_many_channels() { return below(2) == 0 ? below(6) + 1 : below(5) + 16; }

  NodeId conv(NodeId src) {
    const Shape s = g_.graph.shape(src);
    Conv2d op{.out_c = few_or_many_channels(), .kernel = 2 * below(2) + 1, .stride = below(2) + 1};
    if (s.h < 8 || s.w < 8) op.stride = 1;
    if (s.h > 1 && s.w > 1 && below(2) == 0) op.border = Border::reflect;
    return add(op, {src});
  }
  NodeId norm(NodeId src) {
    const NodeId normed =
        add(Norm{.kind = below(2) == 0 ? NormKind::batch : NormKind::instance}, {src});
    return below(3) == 0 ? normed : activation(normed);
  }
  NodeId activation(NodeId src) {
    constexpr ActivationKind kKinds[] = {ActivationKind::leaky_relu, ActivationKind::leaky_relu,
                                         ActivationKind::silu, ActivationKind::elu,
                                         ActivationKind::sigmoid};
    return add(Activation{.kind = kKinds[below(5)]}, {src});
  }
  NodeId resize(NodeId src) {
    const Shape s = g_.graph.shape(src);
    const ResizeKind kind = below(2) == 0 ? ResizeKind::nearest : ResizeKind::bilinear;
    if (s.h * s.w > 900) return add(Linear::resize(s, kind, s.h / 2 + 1, s.w / 2 + 1), {src});
    if (below(2) == 0) return add(Linear::enlarge(s, 2, kind), {src});
    const int h = s.h + below(5), w = s.w + below(5);
    return add(Linear::resize(s, kind, h, w), {src});
  }
  NodeId concat() {
    std::vector<NodeId> src;
    for (int i = below(3) + 1; i > 0; --i) {
      const NodeId next = any();
      src.push_back(below(2) == 0 ? next : norm(next));
    }
    return add(Concat{}, std::move(src));
  }
  NodeId sum() {
    const NodeId a = any(), b = any();
    auto src = of_one_size(a, b);
    if (g_.graph.shape(a).c == g_.graph.shape(b).c) return add(Add{}, std::move(src));
    const int channels = few_or_many_channels();
    for (NodeId& s : src) s = add(Conv2d{.out_c = channels, .kernel = 1}, {s});
    return add(Add{}, std::move(src));
  }
  NodeId product() {
    auto src = of_one_size(any(), any());
    src[1] = add(Conv2d{.out_c = 1, .kernel = 1}, {src[1]});
    return add(Multiply{}, std::move(src));
  }
  NodeId shrink(NodeId src) {
    const Shape s = g_.graph.shape(src);
    if (s.h < 8 || s.w < 8) return resize(src);
    if (below(2) == 0) return add(Linear::reduce(s, ReduceKernel::lanczos2, 2), {src});
    if (below(2) == 0) return add(MaxPool{2}, {src});
    return add(Linear::average_pool(s, 2), {src});
  }

  NodeId add_op() {
    switch (below(12)) {
      case 0:
        return concat();
      case 1:
        return sum();
      case 2:
        return norm(product());
      case 3:
        return resize(any());
      case 4:
        return norm(resize(any()));
      case 5:
        return shrink(any());
      case 6:
        return add(Jitter{0.1f}, {any()});
      case 7: {
        const NodeId src = any();
        if (g_.graph.shape(src).h * g_.graph.shape(src).w > 900) return conv(src);
        return add(ConvTranspose2d{.out_c = below(5) + 1}, {src});
      }
      case 8:
        return conv(any());
      default:
        return norm(conv(any()));
    }
  }

  std::mt19937 random_;
  unsigned seed_;
  CaseGraph g_;
  std::vector<NodeId> nodes_;
};

}  // namespace

CaseGraph random_graph(unsigned seed) { return Drawing(seed).draw(); }

}  // namespace unmar::test
