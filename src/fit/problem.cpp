#include <cmath>
#include <memory>

#include "base/fail.h"
#include "unmar/fit.h"
#include "unmar/random.h"

namespace unmar {
namespace {

void check(const Tensor& y, const Shape& x_shape, const Operator& A,
           const ProblemOptions& options) {
  const Shape expected = A.output_shape(x_shape);
  if (y.shape() != expected)
    fail(ErrorCode::bad_argument, "problem: {} of a {} picture gives {}, but the observation is {}",
         A.describe(), to_string(x_shape), to_string(expected), to_string(y.shape()));
  if (options.input != InputKind::meshgrid && options.input_channels < 1)
    fail(ErrorCode::bad_argument, "problem: input_channels must be at least 1, got {}",
         options.input_channels);
  const auto require_weight = [](float value, const char* name) {
    if (!(value >= 0.f && std::isfinite(value)))
      fail(ErrorCode::bad_argument, "problem: {} must be 0 or more, got {}", name, value);
  };
  require_weight(options.reg_noise_std, "reg_noise_std");
  require_weight(options.tv_weight, "tv_weight");
}

/// What the loss compares with. A value that is not finite would only show up as a diverged fit.
std::shared_ptr<const Tensor> target(const Tensor& y, const Operator& A) {
  auto part = std::make_shared<const Tensor>(A.known_part(y));
  for (const float v : part->values())
    if (!std::isfinite(v))
      fail(ErrorCode::bad_input, "problem: the observation holds {}; mask such pixels as missing",
           v);
  return part;
}

/// Position of element i of n, from 0 to 1.
float position(int i, int n) {
  return n > 1 ? static_cast<float>(i) / static_cast<float>(n - 1) : 0.f;
}

std::shared_ptr<const Tensor> draw_input(int n, const Size& size, const ProblemOptions& options) {
  const bool mesh = options.input == InputKind::meshgrid;
  auto z = std::make_shared<Tensor>(Shape{n, mesh ? 2 : options.input_channels, size.h, size.w});
  const Random random(options.seed, "z");
  switch (options.input) {
    case InputKind::uniform:
      random.uniform(z->values(), 0.f, 0.1f);
      break;
    case InputKind::normal:
      random.normal(z->values(), 0.f, 0.1f);
      break;
    case InputKind::meshgrid:
      for (int i = 0; i < n; ++i)
        for (int row = 0; row < size.h; ++row)
          for (int col = 0; col < size.w; ++col) {
            z->at(i, 0, row, col) = position(col, size.w);
            z->at(i, 1, row, col) = position(row, size.h);
          }
      break;
  }
  return z;
}

}  // namespace

Problem make_problem(const Tensor& y, const Shape& x_shape, const Operator& A,
                     const ProblemOptions& options) {
  check(y, x_shape, A, options);
  Problem problem;
  Graph& graph = problem.graph;

  const Size size = skip_input_size(x_shape.h, x_shape.w, options.network);
  NodeId z = graph.add(Constant{draw_input(x_shape.n, size, options)}, {}, "z");
  if (options.reg_noise_std > 0.f) z = graph.add(Jitter{options.reg_noise_std}, {z}, "z.jitter");

  NodeId x = skip_network(graph, z, x_shape.c, options.network);
  if (graph.shape(x) != x_shape) x = graph.add(CenterCrop{x_shape.h, x_shape.w}, {x}, "restored");
  problem.restored = x;
  graph.keep(x);

  const NodeId observed = A.write(graph, x);
  const NodeId known = graph.add(Constant{target(y, A)}, {}, "y");
  const bool mse = options.loss == LossKind::mse;
  problem.fidelity = graph.add(mse ? Op{Mse{}} : Op{L1{}}, {observed, known}, "fidelity");
  graph.keep(problem.fidelity);
  NodeId loss = problem.fidelity;
  if (options.tv_weight > 0.f) {
    const NodeId variation = graph.add(TotalVariation{}, {x}, "total_variation");
    loss = graph.add(WeightedSum{{1.f, options.tv_weight}}, {loss, variation}, "loss");
  }
  graph.set_loss(loss);
  return problem;
}

}  // namespace unmar
