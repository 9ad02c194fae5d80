#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/fail.h"
#include "fit/known.h"
#include "unmar/stop.h"

namespace unmar {
namespace {

constexpr const char* kName = "discrepancy";

/// Mean of (clip(x + n, 0, 1) - x)^2 for n of N(0, sigma^2) and x in [0,1].
double clipped_variance(double x, double sigma) {
  const auto density = [](double t) {
    return std::exp(-t * t / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  };
  const auto below = [](double t) { return std::erfc(-t / std::numbers::sqrt2) / 2; };
  const double low = -x / sigma, high = (1 - x) / sigma;
  const double inside = below(high) - below(low) - (high * density(high) - low * density(low));
  return sigma * sigma * inside + x * x * below(low) + (1 - x) * (1 - x) * below(-high);
}

/// What the noise of sigma leaves of itself at each brightness.
std::vector<double> expected_variances(const Tensor& y, double sigma) {
  constexpr std::size_t kSteps = 1024;
  std::vector<double> table(kSteps + 1, sigma * sigma);
  const bool clipped = std::all_of(y.values().begin(), y.values().end(),
                                   [](float v) { return !(v < 0.f || v > 1.f); });
  if (clipped)
    for (std::size_t i = 0; i <= kSteps; ++i)
      table[i] = clipped_variance(static_cast<double>(i) / kSteps, sigma);
  return table;
}

class Discrepancy final : public Stopper {
 public:
  Discrepancy(Tensor y, Tensor known, float sigma)
      : y_(std::move(y)),
        known_(std::move(known)),
        expected_(expected_variances(y_, static_cast<double>(sigma))) {
    if (!(sigma > 0.f && std::isfinite(sigma)))
      fail(ErrorCode::bad_argument, "{}: sigma must be above 0, got {}", kName, sigma);
    check_known(y_.shape(), known_, kName);
  }

  std::string name() const override { return kName; }

  Verdict observe(int, float, const Tensor& out) override {
    check_like_y(out, y_.shape(), kName);
    const double steps = static_cast<double>(expected_.size() - 1);
    double sum = 0, expected = 0;
    for (std::size_t i = 0; i < out.count(); ++i) {
      const double weight = known_at(known_, i);
      if (weight == 0) continue;  // y may hold anything there
      const auto x = static_cast<double>(out.data()[i]);
      const double d = x - static_cast<double>(y_.data()[i]);
      sum += weight * d * d;
      // NaN, too, has a place; the loss tells of it.
      const double place = x > 0 ? std::min(x, 1.0) * steps : 0.0;
      expected += weight * expected_[static_cast<std::size_t>(place)];
    }
    ratio_ = sum / expected;
    const bool fresh = !ended_;
    ended_ = ended_ || *ratio_ <= 1;
    return {fresh, ended_};
  }

  std::optional<double> signal() const override { return ratio_; }
  void rewind(int) override {}  // each iterate is judged by itself

  void serialize(Archive& archive) override { archive(ratio_, ended_); }

 private:
  Tensor y_, known_;
  std::vector<double> expected_;  ///< variance of the noise for values from 0 to 1
  std::optional<double> ratio_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Stopper> make_discrepancy(Tensor y, Tensor known, float sigma) {
  return std::make_unique<Discrepancy>(std::move(y), std::move(known), sigma);
}

}  // namespace unmar
