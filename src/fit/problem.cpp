#include <cmath>
#include <memory>
#include <utility>

#include "base/fail.h"
#include "fit/problem_graph.h"
#include "unmar/fit/fit.h"

namespace unmar {

bool learns_input(Optimise optimise) {
  return optimise == Optimise::input || optimise == Optimise::weights_and_input ||
         optimise == Optimise::norms_and_input;
}

namespace {

void check(const Tensor& y, const Shape& x_shape, const Operator& A,
           const ProblemOptions& options) {
  const Shape expected = A.output_shape(x_shape);
  if (y.shape() != expected)
    fail(ErrorCode::bad_argument, "problem: {} of a {} picture gives {}, but the observation is {}",
         A.describe(), to_string(x_shape), to_string(expected), to_string(y.shape()));
  const auto require_weight = [](float value, const char* name) {
    if (!(value >= 0.f && std::isfinite(value)))
      fail(ErrorCode::bad_argument, "problem: {} must be 0 or more, got {}", name, value);
  };
  require_weight(options.reg_noise_std, "reg_noise_std");
  require_weight(options.tv_weight, "tv_weight");
  if (!options.hidden.empty() && options.hidden.shape() != expected)
    fail(ErrorCode::bad_argument,
         "problem: the hidden values are given as {}, the observation is {}",
         to_string(options.hidden.shape()), to_string(expected));
  if (options.keep_input && options.reg_noise_std == 0.f)
    fail(ErrorCode::bad_argument, "problem: keep_input needs jitter; give a reg_noise_std above 0");
  if (options.open_z && learns_input(options.optimise))
    fail(ErrorCode::bad_argument,
         "problem: the input cannot be learned and set from outside at once; optimise the weights");
}

/// 1 where the loss looks.
std::shared_ptr<const Tensor> seen_values(const Tensor& hidden) {
  auto seen = std::make_shared<Tensor>(hidden.shape());
  for (std::size_t i = 0; i < hidden.count(); ++i)
    seen->data()[i] = hidden.data()[i] > 0.f ? 0.f : 1.f;
  return seen;
}

/// What the loss compares with. A value that is not finite would only show up as a diverged fit.
std::shared_ptr<const Tensor> target(const Tensor& y, const Operator& A, const Tensor& hidden) {
  auto part = std::make_shared<Tensor>(A.known_part(y));
  for (const float v : part->values())
    if (!std::isfinite(v))
      fail(ErrorCode::bad_input, "problem: the observation holds {}; mask such pixels as missing",
           v);
  if (!hidden.empty())
    for (std::size_t i = 0; i < part->count(); ++i)
      if (hidden.data()[i] > 0.f) part->data()[i] = 0.f;
  return part;
}

/// Lets only those parameters learn that the options name.
void freeze(Graph& graph, Optimise optimise) {
  const bool norms_only = optimise == Optimise::norms || optimise == Optimise::norms_and_input;
  bool learns = learns_input(optimise);
  for (std::size_t i = 0; i < graph.params().size(); ++i) {
    const Op& op = graph.node(graph.params()[i].node).op;
    const bool learned =
        std::holds_alternative<Learned>(op) ||
        (norms_only ? std::holds_alternative<Norm>(op) : optimise != Optimise::input);
    if (!learned) graph.freeze(static_cast<int>(i));
    learns = learns || learned;
  }
  if (!learns)
    fail(ErrorCode::bad_argument,
         "problem: there is nothing to optimise: the network has no norms; take another norm or "
         "optimise the weights");
}

}  // namespace

NodeId write_picture(Graph& graph, NodeId z, const Shape& x_shape, const ProblemOptions& options) {
  NodeId x = options.own_network ? options.own_network(graph, z, x_shape)
                                 : write_network(graph, z, x_shape, options.network);
  if (graph.shape(x) != x_shape)
    x = graph.add(Linear::center_crop(graph.shape(x), x_shape.h, x_shape.w), {x}, "restored");
  graph.keep(x);
  return x;
}

Problem write_problem(Op z_op, Op y_op, const Shape& x_shape, const Operator& A,
                      const ProblemOptions& options) {
  Problem problem;
  Graph& graph = problem.graph;
  NodeId z = graph.add(std::move(z_op), {}, "z");
  if (options.open_z) problem.z = z;
  if (options.reg_noise_std > 0.f) z = graph.add(Jitter{options.reg_noise_std}, {z}, "z.jitter");
  if (options.keep_input) {
    problem.input = z;
    graph.keep(z);
  }

  const NodeId x = write_picture(graph, z, x_shape, options);
  problem.restored = x;
  NodeId observed = A.write(graph, x);
  problem.predicted = A.only_hides() ? x : observed;
  graph.keep(problem.predicted);
  if (!options.hidden.empty()) {
    const NodeId seen = graph.add(Constant{seen_values(options.hidden)}, {}, "seen");
    observed = graph.add(Multiply{}, {observed, seen}, "observed");
  }
  const NodeId known = graph.add(std::move(y_op), {}, "y");
  if (options.open_y) problem.y = known;
  const bool mse = options.loss == LossKind::mse;
  problem.fidelity = graph.add(mse ? Op{Mse{}} : Op{L1{}}, {observed, known}, "fidelity");
  graph.keep(problem.fidelity);
  NodeId loss = problem.fidelity;
  if (options.tv_weight > 0.f) {
    const NodeId variation = graph.add(TotalVariation{}, {x}, "total_variation");
    loss = graph.add(WeightedSum{{1.f, options.tv_weight}}, {loss, variation}, "loss");
  }
  graph.set_loss(loss);
  freeze(graph, options.optimise);
  return problem;
}

Problem make_problem(const Tensor& y, const Shape& x_shape, const Operator& A,
                     const ProblemOptions& options) {
  check(y, x_shape, A, options);
  const auto known = target(y, A, options.hidden);
  const auto y_op = options.open_y ? Op{Input{known->shape()}} : Op{Constant{known}};
  if (options.open_z)
    return write_problem(Input{input_shape(x_shape, options)}, y_op, x_shape, A, options);
  const auto input = std::make_shared<const Tensor>(make_input(x_shape, options));
  return write_problem(learns_input(options.optimise) ? Op{Learned{input}} : Op{Constant{input}},
                       y_op, x_shape, A, options);
}

}  // namespace unmar
