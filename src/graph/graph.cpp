#include "unmar/graph/graph.h"

#include <algorithm>
#include <limits>

#include "base/fail.h"
#include "base/overloaded.h"
#include "graph/params.h"

namespace unmar {

const char* activation_name(ActivationKind kind) {
  constexpr const char* kNames[] = {"relu", "leaky_relu", "elu", "silu", "gelu", "tanh", "sigmoid"};
  return kNames[static_cast<int>(kind)];
}

const char* op_name(const Op& op) {
  return std::visit(Overloaded{
                        [](const Input&) { return "input"; },
                        [](const Constant&) { return "constant"; },
                        [](const Learned&) { return "learned"; },
                        [](const Jitter&) { return "jitter"; },
                        [](const Dropout&) { return "dropout"; },
                        [](const Conv2d&) { return "conv2d"; },
                        [](const ConvTranspose2d&) { return "conv_transpose2d"; },
                        [](const PixelShuffle&) { return "pixel_shuffle"; },
                        [](const MaxPool&) { return "pool"; },
                        [](const Linear&) { return "linear"; },
                        [](const Filter&) { return "filter"; },
                        [](const Concat&) { return "concat"; },
                        [](const Norm&) { return "norm"; },
                        [](const Activation&) { return "activation"; },
                        [](const Add&) { return "add"; },
                        [](const Multiply&) { return "multiply"; },
                        [](const TimeEmbedding&) { return "time_embedding"; },
                        [](const Attention&) { return "attention"; },
                        [](const Mse&) { return "mse"; },
                        [](const L1&) { return "l1"; },
                        [](const BceWithLogits&) { return "bce_with_logits"; },
                        [](const TotalVariation&) { return "total_variation"; },
                        [](const WeightedSum&) { return "weighted_sum"; },
                    },
                    op);
}

namespace {

/// Engines number pixels with int, and bytes with 64 bits.
void require_countable(const Shape& s, const std::string& where) {
  constexpr double kMostPixels = std::numeric_limits<int>::max(), kMostValues = 0x1p48;
  const double pixels = static_cast<double>(s.n) * s.h * s.w;
  if (pixels > kMostPixels || pixels * s.c > kMostValues)
    fail(ErrorCode::too_large,
         "{}: {} is more than can be counted ({:.0f} pixels, {:.0f} values); use a smaller picture",
         where, to_string(s), kMostPixels, kMostValues);
}

}  // namespace

NodeId Graph::add(Op op, std::vector<NodeId> src, std::string name) {
  const NodeId id{static_cast<int>(nodes_.size())};
  if (name.empty()) name = fmt::format("{}{}", op_name(op), id.index);
  const std::string where = fmt::format("{} '{}'", op_name(op), name);

  if (std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& n) { return n.name == name; }))
    fail(ErrorCode::bad_argument, "{}: the name is taken; give each node its own", where);
  std::vector<Shape> shapes;
  for (const NodeId s : src) {
    if (!s.valid() || s.index >= id.index)
      fail(ErrorCode::bad_argument, "{}: source {} is not a node of this graph", where, s.index);
    shapes.push_back(shape(s));
  }

  Node node{std::move(op), std::move(src), {}, std::move(name), {}};
  node.shape = infer_shape(node.op, shapes, where);
  require_countable(node.shape, where);
  for (Param& param : param_specs(node.op, shapes.empty() ? node.shape : shapes[0], node.name)) {
    param.node = id;
    node.params.push_back(static_cast<int>(params_.size()));
    params_.push_back(std::move(param));
  }
  nodes_.push_back(std::move(node));
  return id;
}

std::size_t Graph::param_count() const {
  std::size_t count = 0;
  for (const Param& p : params_) count += p.shape.count();
  return count;
}

void Graph::freeze(int param) { params_[static_cast<std::size_t>(param)].frozen = true; }

void Graph::rename(int param, std::string name) {
  std::string& own = params_[static_cast<std::size_t>(param)].name;
  if (own != name &&
      std::any_of(params_.begin(), params_.end(), [&](const Param& p) { return p.name == name; }))
    fail(ErrorCode::bad_argument, "graph: parameter '{}' cannot be renamed to '{}': it is taken",
         own, name);
  own = std::move(name);
}

void Graph::set_init(int param, Init init) {
  params_[static_cast<std::size_t>(param)].init = std::move(init);
}

bool Graph::learns(NodeId id) const {
  return std::any_of(node(id).params.begin(), node(id).params.end(),
                     [&](int p) { return !params_[static_cast<std::size_t>(p)].frozen; });
}

void Graph::set_loss(NodeId id) {
  if (shape(id) != Shape{})
    fail(ErrorCode::bad_argument, "graph: the loss must be a scalar, '{}' is {}", node(id).name,
         to_string(shape(id)));
  loss_ = id;
}

void Graph::keep(NodeId id) {
  if (!kept(id)) kept_.push_back(id);
}

bool Graph::kept(NodeId id) const {
  return std::find(kept_.begin(), kept_.end(), id) != kept_.end();
}

}  // namespace unmar
