#include <algorithm>
#include <cmath>

#include "engine/onednn/range.h"
#include "engine/onednn/steps.h"

namespace unmar::cpu {
namespace {

/// Ioffe and Szegedy, "Batch Normalization", 2015, in training mode, with the activation fused
/// behind it. The pre-activation is not stored: backward works it out again from the source.
class NormStep : public Step {
 public:
  explicit NormStep(const NormPlaces& places) : p_(places), c_(places.src.shape.c) {
    const auto pixels = static_cast<int>(p_.src.shape.count() / static_cast<std::size_t>(c_));
    chunks_ = std::clamp(pixels / kPixels, 1, kMaxChunks);
    const auto c = static_cast<std::size_t>(c_);
    for (auto* v : {&mean_, &rstd_, &scale_, &shift_, &slope_, &offset_, &base_}) v->assign(c, 0.f);
    partials_.assign(static_cast<std::size_t>(chunks_) * 2 * c, 0.f);
    total_.assign(2 * c, 0.0);
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer}, {}};
    if (p_.d_dst) u.backward = {p_.src.buffer, p_.d_dst.buffer};
    if (p_.d_src) u.backward.push_back(p_.d_src.place.buffer);
    return u;
  }

  void forward(const Pass& pass) override {
    const View src = p_.src.view(), dst = p_.dst.view();
    const auto count = static_cast<double>(src.pixels());
    std::copy_n(src.data, c_, base_.data());
    sum_chunks(pass, [&](Range r, float* first, float* second) {
      channel_moments(src.pixel(r.begin), src.ld, r.size(), c_, base_.data(), first, second);
    });
    for (std::size_t c = 0; c < mean_.size(); ++c) {
      const double offset = total_[c] / count;
      const double variance = std::max(0.0, total_[mean_.size() + c] / count - offset * offset);
      const double rstd = 1.0 / std::sqrt(variance + p_.eps);
      const double mean = base_[c] + offset;
      mean_[c] = static_cast<float>(mean);
      rstd_[c] = static_cast<float>(rstd);
      scale_[c] = static_cast<float>(p_.gamma.value[c] * rstd);
      shift_[c] = static_cast<float>(p_.beta.value[c] - mean * p_.gamma.value[c] * rstd);
    }
    pass.pool.run(chunks_, [&](int chunk, int) {
      const Range r = range(chunk);
      norm_act(p_.act, src.pixel(r.begin), src.ld, dst.pixel(r.begin), dst.ld, r.size(), c_,
               scale_.data(), shift_.data());
    });
  }

  /// With dz the gradient behind the norm and u = (x - mean) * rstd:
  /// dx = gamma * rstd * (dz - mean(dz) - u * mean(dz * u)), which is linear in dz and x.
  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    const View src = p_.src.view(), d_dst = p_.d_dst.view();
    const auto count = static_cast<double>(src.pixels());
    sum_chunks(pass, [&](Range r, float* first, float* second) {
      norm_act_backward_sums(p_.act, src.pixel(r.begin), src.ld, d_dst.pixel(r.begin), d_dst.ld,
                             r.size(), c_, scale_.data(), shift_.data(), mean_.data(), first,
                             second);
    });
    for (std::size_t c = 0; c < mean_.size(); ++c) {
      const double sum = total_[c], dot = total_[mean_.size() + c] * rstd_[c];
      p_.beta.grad[c] = static_cast<float>(sum);
      p_.gamma.grad[c] = static_cast<float>(dot);
      const double slope = -scale_[c] * rstd_[c] * dot / count;
      slope_[c] = static_cast<float>(slope);
      offset_[c] = static_cast<float>(-scale_[c] * sum / count - slope * mean_[c]);
    }
    if (!p_.d_src) return;
    const View d_src = p_.d_src.place.view();
    pass.pool.run(chunks_, [&](int chunk, int) {
      const Range r = range(chunk);
      norm_act_backward(p_.act, src.pixel(r.begin), src.ld, d_dst.pixel(r.begin), d_dst.ld,
                        d_src.pixel(r.begin), d_src.ld, r.size(), c_, scale_.data(), shift_.data(),
                        slope_.data(), offset_.data(), p_.d_src.accumulate);
    });
  }

 private:
  static constexpr int kPixels = 256;  ///< per chunk at least
  static constexpr int kMaxChunks = 512;
  static constexpr int kFloatSum = 64;  ///< pixels summed in float before double takes over

  Range range(int chunk) const {
    return part(static_cast<int>(p_.src.shape.count() / static_cast<std::size_t>(c_)), chunks_,
                chunk);
  }

  /// Adds two sums per channel over all pixels into total_, in an order that no thread count
  /// changes.
  template <class Body>
  void sum_chunks(const Pass& pass, const Body& body) {
    pass.pool.run(chunks_, [&](int chunk, int) {
      float* first = partials_.data() + static_cast<std::ptrdiff_t>(chunk) * 2 * c_;
      std::fill_n(first, 2 * c_, 0.f);
      const Range r = range(chunk);
      for (int at = r.begin; at < r.end; at += kFloatSum)
        body(Range{at, std::min(at + kFloatSum, r.end)}, first, first + c_);
    });
    std::fill(total_.begin(), total_.end(), 0.0);
    for (int chunk = 0; chunk < chunks_; ++chunk)
      for (std::size_t i = 0; i < total_.size(); ++i)
        total_[i] += partials_[static_cast<std::size_t>(chunk) * total_.size() + i];
  }

  NormPlaces p_;
  int c_, chunks_ = 1;
  std::vector<float> mean_, rstd_, scale_, shift_, slope_, offset_, base_, partials_;
  std::vector<double> total_;
};

}  // namespace

std::unique_ptr<Step> make_norm(const NormPlaces& places) {
  return std::make_unique<NormStep>(places);
}

}  // namespace unmar::cpu
