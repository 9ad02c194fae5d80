#include <algorithm>

#include "base/fail.h"
#include "unmar/image/image.h"

namespace unmar {

Tensor to_tensor(const Image& image) {
  Tensor tensor({1, image.channels(), image.height(), image.width()});
  std::ranges::copy(image.pixels(), tensor.data());
  return tensor;
}

Image to_image(const Tensor& tensor, const ImageSource& source) {
  const Shape& shape = tensor.shape();
  if (shape.n != 1)
    fail(ErrorCode::bad_argument, "to_image: want one picture, got {}", to_string(shape));
  Image image(shape.c, shape.h, shape.w);
  std::ranges::copy(tensor.values(), image.pixels().begin());
  image.source = source;
  return image;
}

}  // namespace unmar
