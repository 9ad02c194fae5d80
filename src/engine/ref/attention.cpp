#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// The pixels of one picture, in the channels of one head.
struct Head {
  Shape shape;
  int n, first, channels;

  int pixels() const { return shape.h * shape.w; }
  double scale() const { return 1 / std::sqrt(static_cast<double>(channels)); }
  /// Element of a Tensor or a Grad.
  template <class T>
  decltype(auto) at(T& t, int pixel, int c) const {
    return t.at(n, first + c, pixel / shape.w, pixel % shape.w);
  }
  template <class A, class B>
  double dot(A& a, int pixel_a, B& b, int pixel_b) const {
    double sum = 0;
    for (int c = 0; c < channels; ++c) sum += double{at(a, pixel_a, c)} * double{at(b, pixel_b, c)};
    return sum;
  }
};

template <class Body>
void for_heads(const Attention& op, const Shape& shape, Body body) {
  const int channels = shape.c / op.heads;
  for (int n = 0; n < shape.n; ++n)
    for (int head = 0; head < op.heads; ++head) body(Head{shape, n, head * channels, channels});
}

/// How much pixel i looks at each pixel; they sum to 1.
std::vector<double> weights(const Head& head, const Tensor& q, const Tensor& k, int i) {
  std::vector<double> w(static_cast<std::size_t>(head.pixels()));
  for (int j = 0; j < head.pixels(); ++j)
    w[static_cast<std::size_t>(j)] = head.scale() * head.dot(q, i, k, j);
  const double largest = *std::ranges::max_element(w);
  for (double& v : w) v = std::exp(v - largest);
  const double sum = std::accumulate(w.begin(), w.end(), 0.0);
  for (double& v : w) v /= sum;
  return w;
}

}  // namespace

void forward(const Attention& op, const Call& call) {
  const Tensor &q = *call.src[0], &k = *call.src[1], &v = *call.src[2];
  for_heads(op, q.shape(), [&](const Head& head) {
    for (int i = 0; i < head.pixels(); ++i) {
      const std::vector<double> w = weights(head, q, k, i);
      for (int c = 0; c < head.channels; ++c) {
        double sum = 0;
        for (int j = 0; j < head.pixels(); ++j)
          sum += w[static_cast<std::size_t>(j)] * head.at(v, j, c);
        head.at(*call.dst, i, c) = static_cast<float>(sum);
      }
    }
  });
}

void backward(const Attention& op, const Call& call) {
  const Tensor &q = *call.src[0], &k = *call.src[1], &v = *call.src[2];
  for_heads(op, q.shape(), [&](const Head& head) {
    const auto pixels = static_cast<std::size_t>(head.pixels());
    for (int i = 0; i < head.pixels(); ++i) {
      const std::vector<double> w = weights(head, q, k, i);
      std::vector<double> dw(pixels);
      double mean = 0;
      for (std::size_t j = 0; j < pixels; ++j) {
        dw[j] = head.dot(*call.d_dst, i, v, static_cast<int>(j));
        mean += w[j] * dw[j];
      }
      for (std::size_t at = 0; at < pixels; ++at) {
        const int j = static_cast<int>(at);
        const double ds = head.scale() * w[at] * (dw[at] - mean);  // of q k^T
        for (int c = 0; c < head.channels; ++c) {
          if (call.d_src[0]) head.at(*call.d_src[0], i, c) += ds * head.at(k, j, c);
          if (call.d_src[1]) head.at(*call.d_src[1], j, c) += ds * head.at(q, i, c);
          if (call.d_src[2]) head.at(*call.d_src[2], j, c) += w[at] * head.at(*call.d_dst, i, c);
        }
      }
    }
  });
}

}  // namespace unmar::ref
