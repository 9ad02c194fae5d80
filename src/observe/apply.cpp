#include "base/fail.h"
#include "unmar/engine.h"
#include "unmar/observe.h"

namespace unmar {

Tensor apply(const Operator& A, const Tensor& x) {
  Graph graph;
  const NodeId input = graph.add(Input{x.shape()}, {}, "x");
  const NodeId output = A.write(graph, input);
  graph.keep(output);
  const auto program = make_engine("ref")->compile(graph, {});
  program->set_input(input, x);
  program->forward(0);
  Tensor y;
  program->read(output, y);
  return y;
}

// The engines give A^T as the gradient of a loss: that of mean((A x - v)^2) at x = 0 is
// -2/N A^T v, because A is linear.
Tensor apply_adjoint(const Operator& A, const Shape& x_shape, const Tensor& v) {
  if (v.shape() != A.output_shape(x_shape))
    fail(ErrorCode::bad_argument, "apply_adjoint: {} of a {} picture gives {}, got {}",
         A.describe(), to_string(x_shape), to_string(A.output_shape(x_shape)),
         to_string(v.shape()));
  Graph graph;
  const NodeId x = graph.add(Input{x_shape, true}, {}, "x");
  const NodeId target = graph.add(Input{v.shape()}, {}, "v");
  graph.set_loss(graph.add(Mse{}, {A.write(graph, x), target}, "loss"));
  const auto program = make_engine("ref")->compile(graph, {});
  program->set_input(x, Tensor(x_shape));
  program->set_input(target, v);
  program->forward(0);
  program->backward();
  Tensor result;
  program->read_input_grad(x, result);
  const double scale = -0.5 * static_cast<double>(v.count());
  for (float& value : result.values())
    value = static_cast<float>(scale * static_cast<double>(value));
  return result;
}

}  // namespace unmar
