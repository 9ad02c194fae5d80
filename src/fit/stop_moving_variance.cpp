#include <vector>

#include "base/fail.h"
#include "fit/samples.h"
#include "fit/valley.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace {

constexpr const char* kMovingVarianceName = "moving variance";

class MovingVariance final : public Stopper {
 public:
  explicit MovingVariance(const VarianceOptions& options)
      : alpha_(options.alpha),
        samples_(options.max_samples),
        valley_(options.patience, options.min_start, kMovingVarianceName) {
    check_max_samples(options.max_samples, kMovingVarianceName);
    if (!(options.alpha > 0.f && options.alpha < 1.f))
      fail(ErrorCode::bad_argument, "{}: alpha must lie between 0 and 1, got {}",
           kMovingVarianceName, options.alpha);
  }

  std::string name() const override { return kMovingVarianceName; }

  Verdict observe(const Iterate& iterate) override {
    const Tensor& out = iterate.x;
    const auto& at = samples_.of(out, kMovingVarianceName);
    if (mean_.empty())
      for (const std::size_t i : at) mean_.push_back(out.data()[i]);
    double squares = 0;
    for (std::size_t k = 0; k < at.size(); ++k) {
      const float delta = out.data()[at[k]] - mean_[k];
      mean_[k] += alpha_ * delta;
      squares += static_cast<double>(delta) * static_cast<double>(delta);
    }
    const auto alpha = static_cast<double>(alpha_);
    variance_ = (1 - alpha) * (variance_ + alpha * squares / static_cast<double>(at.size()));
    seen_ = true;
    return valley_.observe(iterate.iteration, variance_);
  }

  std::optional<double> signal() const override {
    return seen_ ? std::optional(variance_) : std::nullopt;
  }

  // Kept as it is: the jump back can only raise the variance, for some 1/alpha iterations. Starting
  // anew would start from zero, a false minimum.
  void rewind(int) override {}

  void serialize(Archive& archive) override {
    archive(samples_, valley_, mean_, variance_, seen_);
    archive.require(mean_.size() == samples_.count(), "the mean has not one value per sample");
  }

 private:
  float alpha_;
  Samples samples_;
  Valley valley_;
  std::vector<float> mean_;
  double variance_ = 0;
  bool seen_ = false;
};

}  // namespace

std::unique_ptr<Stopper> make_moving_variance(const VarianceOptions& options) {
  return std::make_unique<MovingVariance>(options);
}

}  // namespace unmar
