#include "base/fail.h"
#include "unmar/engine/engine.h"
#include "unmar/observe/observe.h"

namespace unmar {

/// One program for both ways: A^T v is the vector-Jacobian product of A x with v, because A is
/// linear.
struct CompiledOperator::Impl {
  Shape x_shape, y_shape;
  std::string describe;
  NodeId x, output;
  std::unique_ptr<Program> program;
};

CompiledOperator::CompiledOperator(const Operator& A, const Shape& x_shape, std::string_view engine,
                                   int threads)
    : impl_(std::make_unique<Impl>()) {
  Impl& i = *impl_;
  i.x_shape = x_shape;
  i.y_shape = A.output_shape(x_shape);
  i.describe = A.describe();
  Graph graph;
  i.x = graph.add(Input{x_shape, true}, {}, "x");
  i.output = A.write(graph, i.x);
  graph.keep(i.output);
  i.program =
      make_engine(engine)->compile(graph, {.threads = threads, .backward_from = {i.output}});
}
CompiledOperator::~CompiledOperator() = default;
CompiledOperator::CompiledOperator(CompiledOperator&&) noexcept = default;

const Shape& CompiledOperator::x_shape() const { return impl_->x_shape; }
const Shape& CompiledOperator::y_shape() const { return impl_->y_shape; }

Tensor CompiledOperator::apply(const Tensor& x) {
  Impl& i = *impl_;
  if (x.shape() != i.x_shape)
    fail(ErrorCode::bad_argument, "apply: {} was made for pictures of {}, got {}", i.describe,
         to_string(i.x_shape), to_string(x.shape()));
  i.program->set_input(i.x, x);
  i.program->forward(0);
  Tensor y;
  i.program->read(i.output, y);
  return y;
}

Tensor CompiledOperator::apply_adjoint(const Tensor& v) {
  Impl& i = *impl_;
  if (v.shape() != i.y_shape)
    fail(ErrorCode::bad_argument, "apply_adjoint: {} of a {} picture gives {}, got {}", i.describe,
         to_string(i.x_shape), to_string(i.y_shape), to_string(v.shape()));
  i.program->set_input(i.x, Tensor(i.x_shape));  // whatever x: A is linear
  i.program->forward(0);
  i.program->backward(i.output, v);
  Tensor result;
  i.program->read_input_grad(i.x, result);
  return result;
}

Tensor apply(const Operator& A, const Tensor& x) {
  return CompiledOperator(A, x.shape(), "ref").apply(x);
}

Tensor apply_adjoint(const Operator& A, const Shape& x_shape, const Tensor& v) {
  return CompiledOperator(A, x_shape, "ref").apply_adjoint(v);
}

Tensor apply_pseudo_inverse(const Operator& A, const Shape& x_shape, const Tensor& v) {
  return CompiledOperator(A, x_shape, "ref").apply_pseudo_inverse(v);
}

}  // namespace unmar
