#include <algorithm>
#include <vector>

#include "engine/cpu/kernels.h"
#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

/// Source pixel (y, x) adds its block to the kernel x kernel pixels of dst from (y * stride -
/// padding, x * stride - padding) on; backward gathers them again.
class FoldStep : public Step {
 public:
  FoldStep(const FoldOptions& options, const UnaryPlaces& places)
      : o_(options), p_(places), c_(places.dst.shape.c) {
    sums_.resize(static_cast<std::size_t>(c_));
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
      float* const to = dst.row(row);
      for (int x = 0; x < dst.w; ++x)
        for (int c = 0; c < c_; ++c) to[x * dst.ld + c] = o_.bias.value ? o_.bias.value[c] : 0.f;
      const int y = row % dst.h + o_.padding;
      for (int ky = y % o_.stride; ky < o_.kernel && ky <= y; ky += o_.stride) {
        const int sy = (y - ky) / o_.stride;
        if (sy < src.h) add_row(src.row(row / dst.h * src.h + sy), src, ky, to, dst);
      }
    });
  }

  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    const View d_dst = p_.d_dst.view();
    if (o_.bias.grad) sum_bias(d_dst);
    if (!p_.d_src) return;
    const View d_src = p_.d_src.place.view();
    pass.pool->run(d_src.rows(), [&](int row, int) {
      const int top = row % d_src.h * o_.stride - o_.padding;
      for (int ky = 0; ky < o_.kernel; ++ky) {
        const int y = top + ky;
        const bool inside = y >= 0 && y < d_dst.h;
        gather_row(inside ? d_dst.row(row / d_src.h * d_dst.h + y) : nullptr, d_dst, ky,
                   d_src.row(row), d_src);
      }
    });
  }

 private:
  int block(int ky, int kx) const { return (ky * o_.kernel + kx) * c_; }
  /// Tap kx of source pixel sx lies in this column.
  int column(int sx, int kx) const { return sx * o_.stride - o_.padding + kx; }

  void add_row(const float* from, const View& src, int ky, float* to, const View& dst) const {
    for (int sx = 0; sx < src.w; ++sx)
      for (int kx = 0; kx < o_.kernel; ++kx) {
        const int x = column(sx, kx);
        if (x < 0 || x >= dst.w) continue;
        const float* add = from + sx * src.ld + block(ky, kx);
        float* sum = to + x * dst.ld;
        for (int c = 0; c < c_; ++c) sum[c] += add[c];
      }
  }

  void gather_row(const float* from, const View& d_dst, int ky, float* to,
                  const View& d_src) const {
    for (int sx = 0; sx < d_src.w; ++sx)
      for (int kx = 0; kx < o_.kernel; ++kx) {
        const int x = column(sx, kx);
        float* part = to + sx * d_src.ld + block(ky, kx);
        const bool inside = from && x >= 0 && x < d_dst.w;
        if (p_.d_src.accumulate)
          for (int c = 0; c < c_; ++c) part[c] += inside ? from[x * d_dst.ld + c] : 0.f;
        else if (inside)
          std::copy_n(from + x * d_dst.ld, c_, part);
        else
          std::fill_n(part, c_, 0.f);
      }
  }

  void sum_bias(const View& d_dst) {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    for (std::ptrdiff_t p = 0; p < d_dst.pixels(); ++p)
      for (std::size_t c = 0; c < sums_.size(); ++c) sums_[c] += d_dst.pixel(p)[c];
    std::transform(sums_.begin(), sums_.end(), o_.bias.grad,
                   [](double sum) { return static_cast<float>(sum); });
  }

  FoldOptions o_;
  UnaryPlaces p_;
  int c_;
  std::vector<double> sums_;  ///< of the bias gradient
};

}  // namespace

std::unique_ptr<Step> make_fold(const FoldOptions& options, const UnaryPlaces& places) {
  return std::make_unique<FoldStep>(options, places);
}

}  // namespace unmar::cpu
