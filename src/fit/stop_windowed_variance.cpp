#include <algorithm>
#include <vector>

#include "base/fail.h"
#include "fit/samples.h"
#include "fit/valley.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace {

constexpr const char* kWindowedVarianceName = "windowed variance";

class WindowedVariance final : public Stopper {
 public:
  explicit WindowedVariance(const VarianceOptions& options)
      : window_(static_cast<std::size_t>(std::max(options.window, 0))),
        samples_(options.max_samples),
        valley_(options.patience, options.min_start, kWindowedVarianceName) {
    check_max_samples(options.max_samples, kWindowedVarianceName);
    if (options.window < 2)
      fail(ErrorCode::bad_argument, "{}: window must be at least 2, got {}", kWindowedVarianceName,
           options.window);
  }

  std::string name() const override { return kWindowedVarianceName; }

  Verdict observe(const Iterate& iterate) override {
    push(iterate.x);
    signal_.reset();
    if (filled_ < window_) return valley_.idle();
    signal_ = variance();
    return valley_.observe(iterate.iteration, *signal_);
  }

  std::optional<double> signal() const override { return signal_; }

  // The jump back is no movement of the fit, yet it would be variance in any window across it. So
  // the window fills anew; there is no value, and no patience spent, until it is full.
  void rewind(int) override {
    next_ = filled_ = 0;
    std::fill(sum_.begin(), sum_.end(), 0.0);
    sum_of_squares_ = 0;
    signal_.reset();
  }

  void serialize(Archive& archive) override {
    archive(samples_, valley_, ring_, sum_, sum_of_squares_, next_, filled_, signal_);
    archive.require(next_ < window_ && filled_ <= window_, "a place lies outside of the window");
  }

 private:
  /// Replaces the oldest iterate by `out`; O(samples).
  void push(const Tensor& out) {
    const auto& at = samples_.of(out, kWindowedVarianceName);
    ring_.resize(window_ * at.size());
    sum_.resize(at.size());
    float* row = ring_.data() + next_ * at.size();
    const bool replaces = filled_ == window_;
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double old = replaces ? static_cast<double>(row[i]) : 0.0;
      const auto value = static_cast<double>(out.data()[at[i]]);
      sum_[i] += value - old;
      sum_of_squares_ += value * value - old * old;
      row[i] = out.data()[at[i]];
    }
    filled_ = std::min(filled_ + 1, window_);
    next_ = (next_ + 1) % window_;
    if (next_ == 0) recompute();  // running sums drift by their rounding
  }

  void recompute() {
    std::fill(sum_.begin(), sum_.end(), 0.0);
    sum_of_squares_ = 0;
    for (std::size_t k = 0; k < ring_.size(); ++k) {
      const auto value = static_cast<double>(ring_[k]);
      sum_[k % sum_.size()] += value;
      sum_of_squares_ += value * value;
    }
  }

  double variance() const {
    const auto n = static_cast<double>(window_);
    double squared_means = 0;
    for (const double s : sum_) squared_means += (s / n) * (s / n);
    return std::max(0.0, (sum_of_squares_ / n - squared_means) / static_cast<double>(sum_.size()));
  }

  std::size_t window_;
  Samples samples_;
  Valley valley_;
  std::vector<float> ring_;    ///< window rows of samples
  std::vector<double> sum_;    ///< of each sample over the window
  double sum_of_squares_ = 0;  ///< of all samples: only their total is needed
  std::size_t next_ = 0, filled_ = 0;
  std::optional<double> signal_;
};

}  // namespace

std::unique_ptr<Stopper> make_windowed_variance(const VarianceOptions& options) {
  return std::make_unique<WindowedVariance>(options);
}

}  // namespace unmar
