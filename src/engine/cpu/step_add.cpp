#include <algorithm>

#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

bool same(const Place& a, const Place& b) { return a.buffer == b.buffer && a.offset == b.offset; }

/// dst may be a's place, and d_a that of d_dst: then there is nothing to do for them.
class AddStep : public Step {
 public:
  explicit AddStep(const BinaryPlaces& places)
      : p_(places), one_pixel_(places.a.shape != places.b.shape) {}

  Uses uses() override {
    Uses u{{p_.a.buffer, p_.b.buffer, p_.dst.buffer}, {}};
    if (p_.d_dst) u.backward = {p_.d_dst.buffer};
    for (const GradPlace* g : {&p_.d_a, &p_.d_b})
      if (*g) u.backward.push_back(g->place.buffer);
    return u;
  }

  void forward(const Pass& pass) override {
    const View a = p_.a.view(), b = p_.b.view(), dst = p_.dst.view();
    pass.pool->run(dst.rows(), [&](int row, int) {
      if (!same(p_.a, p_.dst)) copy_row(a, dst, row, false);
      if (one_pixel_)
        add_to_pixels(dst.row(row), dst.ld, dst.w, dst.c, b.pixel(row / dst.h));
      else
        copy_row(b, dst, row, true);
    });
  }

  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    const View d_dst = p_.d_dst.view();
    // One after the other: they may be the same place.
    if (p_.d_a && !same(p_.d_a.place, p_.d_dst)) copy(pass, d_dst, p_.d_a);
    if (!p_.d_b) return;
    if (one_pixel_)
      sum_pictures(pass, d_dst, p_.d_b);
    else
      copy(pass, d_dst, p_.d_b);
  }

 private:
  static void copy(const Pass& pass, const View& src, const GradPlace& to) {
    const View dst = to.place.view();
    pass.pool->run(src.rows(), [&](int row, int) { copy_row(src, dst, row, to.accumulate); });
  }
  static void copy_row(const View& src, const View& dst, int row, bool accumulate) {
    const auto c = static_cast<std::size_t>(src.c);
    if (src.dense() && dst.dense())
      return scale_add(dst.row(row), src.row(row), 1.f, static_cast<std::size_t>(src.w) * c,
                       accumulate);
    for (int x = 0; x < src.w; ++x)
      scale_add(dst.row(row) + x * dst.ld, src.row(row) + x * src.ld, 1.f, c, accumulate);
  }
  static void sum_pictures(const Pass& pass, const View& src, const GradPlace& to) {
    const View dst = to.place.view();
    pass.pool->run(src.n, [&](int n, int) {
      if (!to.accumulate) std::fill_n(dst.pixel(n), dst.c, 0.f);
      for (int y = 0; y < src.h; ++y)
        sum_pixels(src.row(n * src.h + y), src.ld, src.w, src.c, dst.pixel(n));
    });
  }

  BinaryPlaces p_;
  bool one_pixel_;  ///< b has one pixel per picture
};

}  // namespace

std::unique_ptr<Step> make_add(const BinaryPlaces& places) {
  return std::make_unique<AddStep>(places);
}

}  // namespace unmar::cpu
