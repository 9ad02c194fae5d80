#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace {

constexpr double kSmallestVariance = 1e-20;  // the floor of Ho et al.

/// 1 - alpha over the whole step: beta_t if the next timestep is t - 1.
double step_beta(const Step& s) { return 1 - s.alpha_bar / s.alpha_bar_next; }
/// Of x_next given x_t and x0.
double posterior_variance(const Step& s) {
  return step_beta(s) * (1 - s.alpha_bar_next) / (1 - s.alpha_bar);
}

class Ddpm final : public Sampler {
 public:
  explicit Ddpm(DdpmVariance variance) : variance_(variance) {}
  std::string name() const override {
    return variance_ == DdpmVariance::fixed_small ? "ddpm" : "ddpm-large";
  }
  StepWeights weights(const Step& s, const Step*) const override {
    const double beta = step_beta(s);
    StepWeights w;
    w.x0 = std::sqrt(s.alpha_bar_next) * beta / (1 - s.alpha_bar);
    w.x = std::sqrt(1 - beta) * (1 - s.alpha_bar_next) / (1 - s.alpha_bar);
    if (!s.last)
      w.noise = std::sqrt(variance_ == DdpmVariance::fixed_large
                              ? beta
                              : std::max(posterior_variance(s), kSmallestVariance));
    return w;
  }

 private:
  DdpmVariance variance_;
};

class Ddim final : public Sampler {
 public:
  explicit Ddim(double eta) : eta_(eta) {
    if (!(eta >= 0 && eta <= 1))
      fail(ErrorCode::bad_argument, "ddim: eta must be 0 to 1, got {}", eta);
  }
  std::string name() const override { return "ddim"; }
  StepWeights weights(const Step& s, const Step*) const override {
    const double variance = eta_ * eta_ * posterior_variance(s);
    StepWeights w;
    w.x0 = std::sqrt(s.alpha_bar_next);
    w.epsilon = std::sqrt(std::max(1 - s.alpha_bar_next - variance, 0.));
    w.noise = std::sqrt(variance);
    return w;
  }

 private:
  double eta_;
};

/// In terms of lambda = log(alpha / sigma), whose steps are h.
class DpmSolver final : public Sampler {
 public:
  std::string name() const override { return "dpm++"; }
  StepWeights weights(const Step& s, const Step* before) const override {
    const bool clean = s.alpha_bar_next >= 1;  // then h is infinite
    const double h = lambda(s.alpha_bar_next) - lambda(s.alpha_bar);
    const double growth = std::sqrt(s.alpha_bar_next) * (clean ? 1. : -std::expm1(-h));
    StepWeights w;
    w.x = std::sqrt((1 - s.alpha_bar_next) / (1 - s.alpha_bar));
    w.x0 = growth;
    if (before != nullptr && !clean) {
      const double extrapolation = h / (lambda(s.alpha_bar) - lambda(before->alpha_bar)) / 2;
      w.x0 += growth * extrapolation;
      w.last_x0 = -growth * extrapolation;
    }
    return w;
  }

 private:
  static double lambda(double alpha_bar) { return std::log(alpha_bar / (1 - alpha_bar)) / 2; }
};

}  // namespace

std::unique_ptr<Sampler> make_ddpm(DdpmVariance variance) {
  return std::make_unique<Ddpm>(variance);
}
std::unique_ptr<Sampler> make_ddim(double eta) { return std::make_unique<Ddim>(eta); }
std::unique_ptr<Sampler> make_dpm_solver() { return std::make_unique<DpmSolver>(); }

std::unique_ptr<Sampler> make_sampler(std::string_view name, double eta) {
  if (name == "ddpm") return make_ddpm(DdpmVariance::fixed_small);
  if (name == "ddpm-large") return make_ddpm(DdpmVariance::fixed_large);
  if (name == "ddim") return make_ddim(eta);
  if (name == "dpm++" || name == "dpm-solver++") return make_dpm_solver();
  fail(ErrorCode::bad_argument, "sampler: '{}' is unknown; did you mean {}?", name,
       closest(name, {"ddpm", "ddpm-large", "ddim", "dpm++"}));
}

}  // namespace unmar
