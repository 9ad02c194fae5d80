#include <cmath>

#include "engine/ref/ops.h"

namespace unmar::ref {
namespace {

/// Calls body(n, channel of the sine, channel of the cosine, frequency, time * frequency).
template <class Body>
void for_waves(const TimeEmbedding& op, const Tensor& times, Body body) {
  const int half = op.channels / 2;
  for (int n = 0; n < times.shape().n; ++n)
    for (int i = 0; i < half; ++i) {
      const double frequency = std::pow(10000.0, -i / (half - double{op.freq_shift}));
      const int first = i, second = half + i;
      body(n, op.flip_sin_to_cos ? second : first, op.flip_sin_to_cos ? first : second, frequency,
           double{times.at(n, 0, 0, 0)} * frequency);
    }
}

}  // namespace

void forward(const TimeEmbedding& op, const Call& call) {
  for_waves(op, *call.src[0], [&](int n, int sine, int cosine, double, double angle) {
    call.dst->at(n, sine, 0, 0) = static_cast<float>(std::sin(angle));
    call.dst->at(n, cosine, 0, 0) = static_cast<float>(std::cos(angle));
  });
}

void backward(const TimeEmbedding& op, const Call& call) {
  for_waves(op, *call.src[0], [&](int n, int sine, int cosine, double frequency, double angle) {
    call.d_src[0]->at(n, 0, 0, 0) +=
        frequency * (call.d_dst->at(n, sine, 0, 0) * std::cos(angle) -
                     call.d_dst->at(n, cosine, 0, 0) * std::sin(angle));
  });
}

}  // namespace unmar::ref
