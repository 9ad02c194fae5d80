#include <cmath>

#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

struct Moments {
  double mean, inv_std;
};

/// The elements of one channel in the whole batch.
template <class Body>
void for_channel(const Shape& shape, int c, Body body) {
  for_each({shape.n, 1, shape.h, shape.w}, [&](int n, int, int y, int x) { body(n, c, y, x); });
}

double channel_count(const Shape& s) { return static_cast<double>(s.count()) / s.c; }

Moments moments(const BatchNorm& op, const Tensor& src, int c) {
  const double count = channel_count(src.shape());
  double sum = 0;
  for_channel(src.shape(), c, [&](int n, int ch, int y, int x) { sum += src.at(n, ch, y, x); });
  const double mean = sum / count;
  double square = 0;
  for_channel(src.shape(), c, [&](int n, int ch, int y, int x) {
    const double d = src.at(n, ch, y, x) - mean;
    square += d * d;
  });
  return {mean, 1 / std::sqrt(square / count + double{op.eps})};
}

}  // namespace

void forward(const BatchNorm& op, const Call& call) {
  const Tensor& src = *call.src[0];
  for (int channel = 0; channel < src.shape().c; ++channel) {
    const Moments m = moments(op, src, channel);
    const double gamma = call.params[0]->at(0, channel, 0, 0);
    const double beta = call.params[1]->at(0, channel, 0, 0);
    for_channel(src.shape(), channel, [&](int n, int c, int y, int x) {
      const double normal = (src.at(n, c, y, x) - m.mean) * m.inv_std;
      call.dst->at(n, c, y, x) = static_cast<float>(gamma * normal + beta);
    });
  }
}

/// Mean and variance depend on every element, hence the two sums in d_src:
/// d_src = gamma * inv_std * (d_dst - mean(d_dst) - normal * mean(d_dst * normal)).
void backward(const BatchNorm& op, const Call& call) {
  const Tensor& src = *call.src[0];
  const double count = channel_count(src.shape());
  for (int channel = 0; channel < src.shape().c; ++channel) {
    const Moments m = moments(op, src, channel);
    const auto normal = [&](int n, int c, int y, int x) {
      return (src.at(n, c, y, x) - m.mean) * m.inv_std;
    };
    double sum = 0, sum_normal = 0;
    for_channel(src.shape(), channel, [&](int n, int c, int y, int x) {
      const double g = call.d_dst->at(n, c, y, x);
      sum += g;
      sum_normal += g * normal(n, c, y, x);
    });
    call.d_params[0]->at(0, channel, 0, 0) += sum_normal;
    call.d_params[1]->at(0, channel, 0, 0) += sum;
    if (!call.d_src[0]) continue;
    const double scale = call.params[0]->at(0, channel, 0, 0) * m.inv_std;
    for_channel(src.shape(), channel, [&](int n, int c, int y, int x) {
      call.d_src[0]->at(n, c, y, x) += scale * (call.d_dst->at(n, c, y, x) - sum / count -
                                                normal(n, c, y, x) * sum_normal / count);
    });
  }
}

}  // namespace unmar::ref
