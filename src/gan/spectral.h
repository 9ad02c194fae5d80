#pragma once

#include "unmar/tensor/tensor.h"

namespace unmar::gan {

/// Divides the weights [n,c,h,w], a matrix of n rows, by its largest singular value; that is
/// estimated by `rounds` power iterations from u [n,1,1,1], which becomes the estimate of the left
/// singular vector. Weights of zeros stay, and so does u then.
void divide_by_norm(Tensor& weights, Tensor& u, int rounds);

}  // namespace unmar::gan
