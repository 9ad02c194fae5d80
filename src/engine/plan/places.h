#pragma once

#include <span>
#include <vector>

#include "engine/plan/buffers.h"
#include "engine/plan/node_plan.h"
#include "unmar/graph/graph.h"

namespace unmar {

/// Where the gradient of a source goes: nowhere, or written, or added to what later steps wrote.
struct GradPlace {
  Place place;
  bool accumulate = false;
  explicit operator bool() const { return static_cast<bool>(place); }
};

/// A learned tensor in the flat parameter buffer.
struct ParamPlace {
  float* value = nullptr;
  float* grad = nullptr;
};

/// Where the value and the gradient of each node lie, and who writes a gradient first.
class Places {
 public:
  /// Makes the buffers. A Learned node's have no address yet: it lives among the parameters.
  /// The plan must outlive it. elements: how value and gradient of each node are stored; empty:
  /// all as fp32.
  Places(const Graph& graph, const GraphPlan& plan, std::vector<NodeId> roots, Buffers& buffers,
         std::vector<Element> elements = {});

  const Place& value(NodeId n) const { return value_[at(n)]; }  ///< empty where nothing writes it
  const Place& grad(NodeId n) const {
    return grad_[at(n)];
  }  ///< empty where none comes from a root
  const std::vector<Place>& values() const { return value_; }
  const std::vector<Place>& grads() const { return grad_; }

  /// Where backward of `reader` puts the gradient of its source number `slot`.
  GradPlace grad_of(NodeId source, NodeId reader, std::size_t slot) const;
  /// The loss takes a number; the other roots have a step for what Program::backward is given.
  bool takes_cotangent(NodeId n) const;
  GradPlace cotangent(NodeId n) const { return {grad_[at(n)], writers_[at(n)].reader != n}; }

 private:
  void assign(Buffers& buffers);
  void find_writers();
  const Node& node(NodeId n) const { return graph_.node(n); }
  std::size_t count() const { return graph_.nodes().size(); }
  bool fused(NodeId n) const { return plan_[n].fused_into.valid(); }

  /// A gradient that several steps contribute to is written by the one that backward runs first,
  /// and the others add to it: that reader, and which of its sources it is; the node itself where
  /// its cotangent comes first.
  struct Writer {
    NodeId reader;
    std::size_t slot = 0;
  };

  const Graph& graph_;
  const GraphPlan& plan_;
  std::vector<NodeId> roots_;
  std::vector<Element> elements_;
  std::vector<Place> value_, grad_;
  std::vector<Writer> writers_;
};

/// The part of a place that holds the channels from `first_channel` on.
inline Place slice(const Place& whole, int first_channel, const Shape& shape) {
  return {whole.buffer, shape, whole.offset + first_channel, whole.ld, whole.element};
}

}  // namespace unmar
