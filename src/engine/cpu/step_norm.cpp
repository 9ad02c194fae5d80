#include <algorithm>
#include <cmath>

#include "engine/cpu/range.h"
#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

/// Ioffe and Szegedy, "Batch Normalization", 2015, in training mode; Ulyanov et al., "Instance
/// Normalization", 2016; Wu and He, "Group Normalization", 2018; with the activation fused behind.
/// The pre-activation is not stored: backward works it out again from the source.
///
/// Sums are taken per picture and channel, a "cell"; cells that share their statistics are a unit.
class NormStep : public Step {
 public:
  explicit NormStep(const NormPlaces& places)
      : p_(places), n_(places.src.shape.n), c_(places.src.shape.c) {
    pixels_ = p_.src.shape.h * p_.src.shape.w;
    chunks_ = std::clamp(pixels_ / kPixels, 1, kMaxChunks);
    const std::size_t cells = static_cast<std::size_t>(n_) * static_cast<std::size_t>(c_);
    base_.assign(static_cast<std::size_t>(c_), 0.f);
    variance_.assign(tracked() ? static_cast<std::size_t>(c_) : 0, 0.0);
    for (auto* v : {&mean_, &rstd_, &p_.scales->scale, &p_.scales->shift, &slope_, &offset_})
      v->assign(cells, 0.f);
    partials_.assign(static_cast<std::size_t>(n_ * chunks_) * 2 * static_cast<std::size_t>(c_),
                     0.f);
    first_.assign(cells, 0.0);
    second_.assign(cells, 0.0);
  }

  Uses uses() override {
    Uses u{{p_.src.buffer}, {}};
    if (p_.dst) u.forward.push_back(p_.dst.buffer);
    if (p_.d_dst) u.backward = {p_.src.buffer, p_.d_dst.buffer};
    if (p_.d_src) u.backward.push_back(p_.d_src.place.buffer);
    return u;
  }

  void forward(const Pass& pass) override {
    const View src = p_.src.view();
    if (fixed()) {
      for_units([&](const Unit& unit) { take_running(unit); });
      if (p_.dst) apply(pass);
      return;
    }
    std::copy_n(src.data, c_, base_.data());
    sum_cells(pass, [&](Range r, std::size_t, float* first, float* second) {
      channel_moments(src.pixel(r.begin), src.ld, r.size(), c_, base_.data(), first, second);
    });
    for_units([&](const Unit& unit) { find_moments(unit); });
    if (p_.dst) apply(pass);
  }

  void track() override {
    if (!tracked()) return;
    const double count = static_cast<double>(n_) * pixels_;
    const auto follow = [&](float& running, double now) {
      running = static_cast<float>(running + p_.op.momentum * (now - running));
    };
    for (std::size_t c = 0; c < variance_.size(); ++c) {
      follow(p_.mean.value[c], mean_[c]);
      follow(p_.var.value[c], variance_[c] * count / (count - 1));
    }
  }

  bool can_recompute() const override { return static_cast<bool>(p_.dst); }
  void recompute(const Pass& pass) override { apply(pass); }

  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    const View src = p_.src.view(), d_dst = p_.d_dst.view();
    if (!fixed() || p_.gamma.grad || p_.beta.grad) {
      sum_cells(pass, [&](Range r, std::size_t cell, float* first, float* second) {
        norm_act_backward_sums(p_.act, src.pixel(r.begin), src.ld, d_dst.pixel(r.begin), d_dst.ld,
                               r.size(), c_, scale(cell), shift(cell), &mean_[cell], first, second);
      });
      find_param_grads();
    }
    if (!p_.d_src) return;
    if (!fixed()) for_units([&](const Unit& unit) { find_slopes(unit); });  // else they are 0
    const View d_src = p_.d_src.place.view();
    for_chunks(pass, [&](Range r, std::size_t cell) {
      norm_act_backward(p_.act, src.pixel(r.begin), src.ld, d_dst.pixel(r.begin), d_dst.ld,
                        d_src.pixel(r.begin), d_src.ld, r.size(), c_, scale(cell), shift(cell),
                        &slope_[cell], &offset_[cell], p_.d_src.accumulate);
    });
  }

 private:
  void apply(const Pass& pass) {
    const View src = p_.src.view(), dst = p_.dst.view();
    for_chunks(pass, [&](Range r, std::size_t cell) {
      norm_act(p_.act, src.pixel(r.begin), src.ld, dst.pixel(r.begin), dst.ld, r.size(), c_,
               scale(cell), shift(cell));
    });
  }

  bool tracked() const { return p_.op.statistics == NormStatistics::tracked; }
  bool fixed() const { return p_.op.statistics == NormStatistics::fixed; }

  static constexpr int kPixels = 256;  ///< per chunk at least
  static constexpr int kMaxChunks = 512;
  static constexpr int kFloatSum = 64;  ///< pixels summed in float before double takes over

  struct Unit {
    Range pictures, channels;
    int cells() const { return pictures.size() * channels.size(); }
  };

  template <class Body>
  void for_units(const Body& body) const {
    const int pictures = p_.op.kind == NormKind::batch ? n_ / p_.op.parts : 1;
    const int width = p_.op.kind == NormKind::group ? c_ / p_.op.groups : 1;
    for (int n = 0; n < n_; n += pictures)
      for (int c = 0; c < c_; c += width) body(Unit{{n, n + pictures}, {c, c + width}});
  }
  template <class Body>
  void for_cells(const Unit& unit, const Body& body) const {
    for (int n = unit.pictures.begin; n < unit.pictures.end; ++n)
      for (int c = unit.channels.begin; c < unit.channels.end; ++c)
        body(cell(n) + channel(c), channel(c));
  }
  std::size_t cell(int picture) const {
    return static_cast<std::size_t>(picture) * static_cast<std::size_t>(c_);
  }
  const float* scale(std::size_t cell) const { return &p_.scales->scale[cell]; }
  const float* shift(std::size_t cell) const { return &p_.scales->shift[cell]; }
  static std::size_t channel(int c) { return static_cast<std::size_t>(c); }

  void find_moments(const Unit& unit) {
    double mean = 0, variance = 0;
    for_cells(unit, [&](std::size_t i, std::size_t c) { mean += base_[c] + first_[i] / pixels_; });
    mean /= unit.cells();
    for_cells(unit, [&](std::size_t i, std::size_t c) {
      const double offset = first_[i] / pixels_, away = base_[c] + offset - mean;
      variance += std::max(0.0, second_[i] / pixels_ - offset * offset) + away * away;
    });
    variance /= unit.cells();
    if (tracked()) variance_[channel(unit.channels.begin)] = variance;
    set_scales(unit, mean, variance);
  }

  void take_running(const Unit& unit) {
    const std::size_t c = channel(unit.channels.begin);
    set_scales(unit, p_.mean.value[c], p_.var.value[c]);
  }

  void set_scales(const Unit& unit, double mean, double variance) {
    const double rstd = 1.0 / std::sqrt(variance + p_.op.eps);
    for_cells(unit, [&](std::size_t i, std::size_t c) {
      mean_[i] = static_cast<float>(mean);
      rstd_[i] = static_cast<float>(rstd);
      p_.scales->scale[i] = static_cast<float>(p_.gamma.value[c] * rstd);
      p_.scales->shift[i] = static_cast<float>(p_.beta.value[c] - mean * p_.gamma.value[c] * rstd);
    });
  }

  void find_param_grads() {
    for (int c = 0; c < c_; ++c) {
      double sum = 0, dot = 0;
      for (int n = 0; n < n_; ++n) {
        const std::size_t i = cell(n) + channel(c);
        sum += first_[i];
        dot += second_[i] * rstd_[i];
      }
      if (p_.beta.grad) p_.beta.grad[c] = static_cast<float>(sum);
      if (p_.gamma.grad) p_.gamma.grad[c] = static_cast<float>(dot);
    }
  }

  /// With dz the gradient behind the norm, g = gamma * dz and u = (x - mean) * rstd:
  /// dx = rstd * (g - mean(g) - u * mean(g * u)), which is linear in dz and x.
  void find_slopes(const Unit& unit) {
    double sum = 0, dot = 0;
    for_cells(unit, [&](std::size_t i, std::size_t c) {
      sum += p_.gamma.value[c] * first_[i];
      dot += p_.gamma.value[c] * second_[i];
    });
    const double count = static_cast<double>(unit.cells()) * pixels_;
    for_cells(unit, [&](std::size_t i, std::size_t) {
      const double rstd = rstd_[i];
      const double slope = -rstd * rstd * rstd * dot / count;
      slope_[i] = static_cast<float>(slope);
      offset_[i] = static_cast<float>(-rstd * sum / count - slope * mean_[i]);
    });
  }

  /// Calls body(pixels, first cell of their picture) for chunks of pixels, in parallel.
  template <class Body>
  void for_chunks(const Pass& pass, const Body& body) const {
    pass.pool->run(n_ * chunks_,
                   [&](int chunk, int) { body(range(chunk), cell(chunk / chunks_)); });
  }
  Range range(int chunk) const {
    const Range r = part(pixels_, chunks_, chunk % chunks_);
    const int first = chunk / chunks_ * pixels_;
    return {first + r.begin, first + r.end};
  }

  /// Two sums per cell into first_ and second_, in an order that no thread count changes.
  template <class Body>
  void sum_cells(const Pass& pass, const Body& body) {
    const auto width = static_cast<std::size_t>(c_);
    pass.pool->run(n_ * chunks_, [&](int chunk, int) {
      float* first = partials_.data() + static_cast<std::ptrdiff_t>(chunk) * 2 * c_;
      std::fill_n(first, 2 * c_, 0.f);
      const Range r = range(chunk);
      for (int at = r.begin; at < r.end; at += kFloatSum)
        body(Range{at, std::min(at + kFloatSum, r.end)}, cell(chunk / chunks_), first, first + c_);
    });
    std::fill(first_.begin(), first_.end(), 0.0);
    std::fill(second_.begin(), second_.end(), 0.0);
    for (int chunk = 0; chunk < n_ * chunks_; ++chunk) {
      const float* sums = partials_.data() + static_cast<std::ptrdiff_t>(chunk) * 2 * c_;
      double* first = &first_[cell(chunk / chunks_)];
      double* second = &second_[cell(chunk / chunks_)];
      for (std::size_t c = 0; c < width; ++c) {
        first[c] += sums[c];
        second[c] += sums[width + c];
      }
    }
  }

  NormPlaces p_;
  int n_, c_, pixels_ = 0, chunks_ = 1;              ///< pixels and chunks of one picture
  std::vector<float> base_;                          ///< per channel
  std::vector<float> mean_, rstd_, slope_, offset_;  ///< per cell
  std::vector<float> partials_;
  std::vector<double> first_, second_;
  std::vector<double> variance_;  ///< per channel, if it is tracked
};

}  // namespace

std::unique_ptr<Step> make_norm(const NormPlaces& places) {
  return std::make_unique<NormStep>(places);
}

}  // namespace unmar::cpu
