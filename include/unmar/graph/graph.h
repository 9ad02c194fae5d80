#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "unmar/graph/ops.h"

namespace unmar {

/// Handle of a node in one graph: its index in order of creation, which is a topological order.
struct NodeId {
  int index = -1;
  bool valid() const { return index >= 0; }
  bool operator==(const NodeId&) const = default;
};

/// How a parameter starts.
struct Init {
  enum class Kind { constant, uniform, given } kind = Kind::constant;
  float a = 0.f, b = 0.f;  ///< constant: a; uniform: [a, b)
  int repeat = 1;          ///< uniform: so many output channels in a row start equal
  std::shared_ptr<const Tensor> value = {};  ///< given
};

/// A learned tensor. Weights are [out_c, in_c, kernel, kernel], of a transposed convolution [in_c,
/// out_c, kernel, kernel]; bias, gamma, beta, mean and var [1,c,1,1].
struct Param {
  std::string
      name;  ///< "<node name>.weight", ".bias", ".gamma", ".beta", ".mean", ".var", ".value"
  Shape shape;
  Init init;
  NodeId node;
  bool frozen = false;  ///< has no gradient; keeps its start value, but for running statistics
};

struct Node {
  Op op;
  std::vector<NodeId> src;
  Shape shape;              ///< of its result
  std::string name;         ///< unique
  std::vector<int> params;  ///< indices into Graph::params()
};

/// A network, a degradation and a loss as one plain document. Nodes are only ever appended, shapes
/// are inferred and checked at once, and nothing is computed: an Engine compiles it into a Program.
class Graph {
 public:
  /// Appends a node. Without a name it is called "<op><index>".
  /// throws Error{bad_argument} naming the node and the shapes if the op cannot take its sources.
  NodeId add(Op op, std::vector<NodeId> src, std::string name = {});

  /// Valid until the next add().
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id.index)]; }
  Shape shape(NodeId id) const { return node(id).shape; }
  std::span<const Node> nodes() const { return nodes_; }
  std::span<const Param> params() const { return params_; }
  std::size_t param_count() const;  ///< numbers in all parameters, frozen ones included

  /// Parameter `param` (index into params()) keeps its start value.
  void freeze(int param);
  /// Another name than that of its node, e.g. the one it has in a file of weights.
  /// throws Error{bad_argument} if another parameter has it.
  void rename(int param, std::string name);
  /// Another start than the op's own.
  void set_init(int param, Init init);
  /// Whether the node has a parameter that is not frozen.
  bool learns(NodeId id) const;

  /// The scalar that Program::step makes smaller.
  void set_loss(NodeId id);
  std::optional<NodeId> loss() const { return loss_; }

  /// Marks a node whose values Program::read can give back.
  void keep(NodeId id);
  bool kept(NodeId id) const;

 private:
  std::vector<Node> nodes_;
  std::vector<Param> params_;
  std::vector<NodeId> kept_;
  std::optional<NodeId> loss_;
};

/// Rule book of the ops: result shape of `op` for sources of these shapes. `where` opens error
/// texts.
Shape infer_shape(const Op& op, std::span<const Shape> src, const std::string& where);

/// Start values of a parameter: they depend on `seed` and the parameter's name only.
Tensor draw(const Param& param, std::uint64_t seed);

/// Multiplications of one forward pass, counted as direct convolution.
std::uint64_t count_macs(const Graph& graph);
std::uint64_t count_macs(const Graph& graph, NodeId id);  ///< of one node

std::string to_text(const Graph& graph);  ///< one line per node, with shapes
std::string to_dot(const Graph& graph);   ///< for Graphviz

}  // namespace unmar
