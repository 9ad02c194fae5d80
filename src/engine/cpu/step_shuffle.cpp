#include <algorithm>
#include <vector>

#include "engine/cpu/range.h"
#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

/// Each source pixel holds the block of factor x factor destination pixels under it.
class ShuffleStep : public Step {
 public:
  ShuffleStep(const ShuffleOptions& options, const UnaryPlaces& places) : o_(options), p_(places) {
    const int c = p_.dst.shape.c, block = o_.factor * o_.factor;
    const bool last = o_.order == BlockOrder::channels_last;
    pixel_stride_ = last ? c : 1;
    channel_stride_ = last ? 1 : block;
    sums_.resize(static_cast<std::size_t>(c));
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer}, {}};
    if (p_.d_dst) u.backward = {p_.d_dst.buffer};
    if (p_.d_src) u.backward.push_back(p_.d_src.place.buffer);
    return u;
  }

  void forward(const Pass& pass) override {
    const View src = p_.src.view(), dst = p_.dst.view();
    pass.pool->run(dst.rows(), [&](int row, int) {
      for_row(src, dst, row, [&](float* from, float* to) {
        for (int c = 0; c < dst.c; ++c)
          to[c] = from[c * channel_stride_] + (o_.bias.value ? o_.bias.value[c] : 0.f);
      });
    });
  }

  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    const View d_dst = p_.d_dst.view();
    if (o_.bias.grad) sum_bias(d_dst);
    if (!p_.d_src) return;
    const View d_src = p_.d_src.place.view();
    pass.pool->run(d_dst.rows(), [&](int row, int) {
      for_row(d_src, d_dst, row, [&](float* to, const float* from) {
        for (int c = 0; c < d_dst.c; ++c) {
          float& sum = to[c * channel_stride_];
          sum = p_.d_src.accumulate ? sum + from[c] : from[c];
        }
      });
    });
  }

 private:
  /// Calls body(first channel in the source pixel, destination pixel) along a destination row.
  template <class Body>
  void for_row(const View& src, const View& dst, int row, const Body& body) const {
    const int y = row % dst.h, i = y % o_.factor;
    const float* const end = dst.row(row) + dst.w * dst.ld;
    float* source = src.row(row / dst.h * src.h + y / o_.factor);
    int j = 0;
    for (float* pixel = dst.row(row); pixel != end; pixel += dst.ld) {
      body(source + (i * o_.factor + j) * pixel_stride_, pixel);
      if (++j == o_.factor) {
        j = 0;
        source += src.ld;
      }
    }
  }

  void sum_bias(const View& d_dst) {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    for (std::ptrdiff_t p = 0; p < d_dst.pixels(); ++p)
      for (std::size_t c = 0; c < sums_.size(); ++c) sums_[c] += d_dst.pixel(p)[c];
    std::transform(sums_.begin(), sums_.end(), o_.bias.grad,
                   [](double sum) { return static_cast<float>(sum); });
  }

  ShuffleOptions o_;
  UnaryPlaces p_;
  std::vector<double> sums_;                   ///< of the bias gradient
  int pixel_stride_ = 0, channel_stride_ = 0;  ///< within a source pixel
};

}  // namespace

std::unique_ptr<Step> make_shuffle(const ShuffleOptions& options, const UnaryPlaces& places) {
  return std::make_unique<ShuffleStep>(options, places);
}

}  // namespace unmar::cpu
