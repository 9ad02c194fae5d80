#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// Copies the centre of src to the channels of dst from `first_c` on.
void crop(const Tensor& src, Tensor& dst, int first_c) {
  const int top = (src.shape().h - dst.shape().h) / 2;
  const int left = (src.shape().w - dst.shape().w) / 2;
  const Shape part{src.shape().n, src.shape().c, dst.shape().h, dst.shape().w};
  for_each(part, [&](int n, int c, int y, int x) {
    dst.at(n, first_c + c, y, x) = src.at(n, c, top + y, left + x);
  });
}

void crop_backward(Grad& d_src, const Shape& src, Grad& d_dst, const Shape& dst, int first_c) {
  const int top = (src.h - dst.h) / 2;
  const int left = (src.w - dst.w) / 2;
  for_each({src.n, src.c, dst.h, dst.w}, [&](int n, int c, int y, int x) {
    d_src.at(n, c, top + y, left + x) += d_dst.at(n, first_c + c, y, x);
  });
}

}  // namespace

void forward(const Concat&, const Call& call) {
  int first_c = 0;
  for (const Tensor* src : call.src) {
    crop(*src, *call.dst, first_c);
    first_c += src->shape().c;
  }
}

void backward(const Concat&, const Call& call) {
  int first_c = 0;
  for (std::size_t i = 0; i < call.src.size(); ++i) {
    const Shape& src = call.src[i]->shape();
    if (call.d_src[i]) crop_backward(*call.d_src[i], src, *call.d_dst, call.dst->shape(), first_c);
    first_c += src.c;
  }
}

}  // namespace unmar::ref
