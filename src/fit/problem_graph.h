#pragma once

#include "unmar/fit/fit.h"

namespace unmar {

/// Shape of the z that make_input() makes.
Shape input_shape(const Shape& image, const ProblemOptions& options);

bool learns_input(Optimise optimise);

/// z -> network -> crop to x_shape; kept.
NodeId write_picture(Graph& graph, NodeId z, const Shape& x_shape, const ProblemOptions& options);

/// The graph of make_problem() over nodes that stand for z and for the known part of y.
Problem write_problem(Op z, Op y, const Shape& x_shape, const Operator& A,
                      const ProblemOptions& options);

}  // namespace unmar
