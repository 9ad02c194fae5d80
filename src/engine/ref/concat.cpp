#include <algorithm>

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

void forward(const Pad&, const Call& call) {
  const Shape& src = call.src[0]->shape();
  const int top = (call.dst->shape().h - src.h) / 2, left = (call.dst->shape().w - src.w) / 2;
  std::ranges::fill(call.dst->values(), 0.f);
  for_each(src, [&](int n, int c, int y, int x) {
    call.dst->at(n, c, top + y, left + x) = call.src[0]->at(n, c, y, x);
  });
}

void backward(const Pad&, const Call& call) {
  const Shape& src = call.src[0]->shape();
  const int top = (call.dst->shape().h - src.h) / 2, left = (call.dst->shape().w - src.w) / 2;
  for_each(src, [&](int n, int c, int y, int x) {
    call.d_src[0]->at(n, c, y, x) += call.d_dst->at(n, c, top + y, left + x);
  });
}

void forward(const CenterCrop&, const Call& call) { crop(*call.src[0], *call.dst, 0); }

void backward(const CenterCrop&, const Call& call) {
  crop_backward(*call.d_src[0], call.src[0]->shape(), *call.d_dst, call.dst->shape(), 0);
}

}  // namespace unmar::ref
