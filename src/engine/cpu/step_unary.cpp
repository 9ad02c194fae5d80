#include <algorithm>
#include <vector>

#include "engine/cpu/range.h"
#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

class UnaryStep : public Step {
 public:
  explicit UnaryStep(const UnaryPlaces& places) : p_(places) {}
  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer}, {}};
    if (p_.d_src) u.backward = {p_.src.buffer, p_.d_dst.buffer, p_.d_src.place.buffer};
    return u;
  }

 protected:
  /// Calls body(first pixel, floats) for all of v: row by row where the pixels follow each other
  /// without gaps, else pixel by pixel.
  template <class Body>
  static void for_runs(const Pass& pass, const View& v, bool dense, const Body& body) {
    pass.pool->run(v.rows(), [&](int row, int) {
      const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(row) * v.w;
      if (dense) return body(first, static_cast<std::size_t>(v.w) * static_cast<std::size_t>(v.c));
      for (int x = 0; x < v.w; ++x) body(first + x, static_cast<std::size_t>(v.c));
    });
  }

  UnaryPlaces p_;
};

class ActivationStep : public UnaryStep {
 public:
  ActivationStep(const Act& act, const UnaryPlaces& places) : UnaryStep(places), act_(act) {}

  void forward(const Pass& pass) override {
    const View src = p_.src.view(), dst = p_.dst.view();
    for_runs(pass, src, src.dense() && dst.dense(), [&](std::ptrdiff_t pixel, std::size_t count) {
      activate(act_, src.pixel(pixel), dst.pixel(pixel), count);
    });
  }
  void backward(const Pass& pass) override {
    if (!p_.d_src) return;
    const View src = p_.src.view(), d_dst = p_.d_dst.view(), d_src = p_.d_src.place.view();
    for_runs(pass, src, src.dense() && d_dst.dense() && d_src.dense(),
             [&](std::ptrdiff_t pixel, std::size_t count) {
               activate_backward(act_, src.pixel(pixel), d_dst.pixel(pixel), d_src.pixel(pixel),
                                 count, p_.d_src.accumulate);
             });
  }

 private:
  Act act_;
};

class MaxPoolStep : public UnaryStep {
 public:
  MaxPoolStep(int factor, const UnaryPlaces& places, int threads)
      : UnaryStep(places), factor_(factor), pixels_(static_cast<std::size_t>(threads)) {
    for (Pixels& p : pixels_) p.src.resize(static_cast<std::size_t>(factor * factor));
    for (Pixels& p : pixels_) p.d_src.resize(p.src.size());
  }

  void forward(const Pass& pass) override {
    const View src = p_.src.view(), dst = p_.dst.view();
    pass.pool->run(dst.rows(), [&](int row, int thread) {
      Pixels& pixels = pixels_[static_cast<std::size_t>(thread)];
      for (int x = 0; x < dst.w; ++x) {
        find_block(src, dst, row, x, pixels.src);
        max_pixels(pixels.src.data(), factor_ * factor_, dst.c, dst.row(row) + x * dst.ld);
      }
    });
  }
  void backward(const Pass& pass) override {
    if (!p_.d_src) return;
    const View src = p_.src.view(), d_dst = p_.d_dst.view(), d_src = p_.d_src.place.view();
    if (!p_.d_src.accumulate)
      pass.pool->run(d_src.rows(), [&](int row, int) {
        for (int x = 0; x < d_src.w; ++x) std::fill_n(d_src.row(row) + x * d_src.ld, d_src.c, 0.f);
      });
    pass.pool->run(d_dst.rows(), [&](int row, int thread) {
      Pixels& pixels = pixels_[static_cast<std::size_t>(thread)];
      for (int x = 0; x < d_dst.w; ++x) {
        find_block(src, d_dst, row, x, pixels.src);
        find_block(d_src, d_dst, row, x, pixels.d_src);
        max_pixels_backward(pixels.src.data(), factor_ * factor_, d_dst.c,
                            d_dst.row(row) + x * d_dst.ld, pixels.d_src.data());
      }
    });
  }

 private:
  /// The source pixels of a destination pixel, in row-major order.
  void find_block(const View& src, const View& dst, int dst_row, int x,
                  std::vector<float*>& pixels) const {
    const int first_row = dst_row / dst.h * src.h + dst_row % dst.h * factor_;
    for (int i = 0; i < factor_; ++i)
      for (int j = 0; j < factor_; ++j)
        pixels[static_cast<std::size_t>(i * factor_ + j)] =
            src.row(first_row + i) + (x * factor_ + j) * src.ld;
  }
  /// One block, of the source and of its gradient; one such per thread.
  struct Pixels {
    std::vector<float*> src, d_src;
  };
  int factor_;
  std::vector<Pixels> pixels_;
};

class JitterStep : public UnaryStep {
 public:
  JitterStep(float sigma, std::uint64_t key, const UnaryPlaces& places)
      : UnaryStep(places), sigma_(sigma), key_(key) {}

  void forward(const Pass& pass) override {
    const View src = p_.src.view(), dst = p_.dst.view();
    const std::size_t count = p_.src.shape.count();
    constexpr std::size_t kRun = 4 * kNoiseBlocks, kRunsPerChunk = 256;
    const auto chunks =
        static_cast<int>((count + kRun * kRunsPerChunk - 1) / (kRun * kRunsPerChunk));
    pass.pool->run(chunks, [&](int chunk, int) {
      const std::size_t begin = static_cast<std::size_t>(chunk) * kRun * kRunsPerChunk;
      const std::size_t end = std::min(count, begin + kRun * kRunsPerChunk);
      for (std::size_t i = begin; i < end; i += kRun) {
        float noise[kRun] = {};
        if (pass.jitter)
          gaussian_noise(key_, static_cast<std::uint64_t>(pass.iteration), i / 4, noise);
        const std::size_t run = std::min(kRun, end - i);
        for (std::size_t k = 0; k < run; ++k)
          element(dst, i + k) = element(src, i + k) + sigma_ * noise[k];
      }
    });
  }
  bool can_recompute() const override { return true; }
  void recompute(const Pass& pass) override { forward(pass); }
  void backward(const Pass& pass) override {
    if (!p_.d_src) return;
    const View d_dst = p_.d_dst.view(), d_src = p_.d_src.place.view();
    for_runs(pass, d_dst, d_dst.dense() && d_src.dense(),
             [&](std::ptrdiff_t pixel, std::size_t count) {
               scale_add(d_src.pixel(pixel), d_dst.pixel(pixel), 1.f, count, p_.d_src.accumulate);
             });
  }

 private:
  static float& element(const View& v, std::size_t i) {
    const auto c = static_cast<std::size_t>(v.c);
    return v.dense() ? v.data[i] : v.pixel(static_cast<std::ptrdiff_t>(i / c))[i % c];
  }
  float sigma_;
  std::uint64_t key_;
};

}  // namespace

std::unique_ptr<Step> make_activation(const Act& act, const UnaryPlaces& places) {
  return std::make_unique<ActivationStep>(act, places);
}
std::unique_ptr<Step> make_max_pool(int factor, const UnaryPlaces& places, int threads) {
  return std::make_unique<MaxPoolStep>(factor, places, threads);
}
std::unique_ptr<Step> make_jitter(float sigma, std::uint64_t key, const UnaryPlaces& places) {
  return std::make_unique<JitterStep>(sigma, key, places);
}

}  // namespace unmar::cpu
