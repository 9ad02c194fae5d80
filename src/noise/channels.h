#pragma once

#include "unmar/tensor/tensor.h"

namespace unmar {

/// The channels of [1,c,h,w] turned by the orthonormal cosine transform, which white noise passes
/// unchanged: the first becomes the mean times sqrt(c), which has the least noise for its contrast;
/// for RGB the others are the opponent colours (R - B) / sqrt(2) and (R - 2 G + B) / sqrt(6).
Tensor to_opponent(const Tensor& t);
Tensor from_opponent(const Tensor& t);

}  // namespace unmar
