#include <cmath>

#include "base/fail.h"
#include "fit/known.h"
#include "fit/noise_variance.h"
#include "unmar/fit/stop.h"

namespace unmar {
namespace {

constexpr const char* kDiscrepancyName = "discrepancy";

class Discrepancy final : public Stopper {
 public:
  Discrepancy(Tensor y, Tensor known, float sigma)
      : y_(std::move(y)), known_(std::move(known)), noise_(y_, static_cast<double>(sigma)) {
    if (!(sigma > 0.f && std::isfinite(sigma)))
      fail(ErrorCode::bad_argument, "{}: sigma must be above 0, got {}", kDiscrepancyName, sigma);
    check_known(y_.shape(), known_, kDiscrepancyName);
  }

  std::string name() const override { return kDiscrepancyName; }

  Verdict observe(const Iterate& iterate) override {
    const Tensor& out = iterate.Ax;
    check_like_y(out, y_.shape(), kDiscrepancyName);
    double sum = 0, expected = 0;
    for (std::size_t i = 0; i < out.count(); ++i) {
      const double weight = known_at(known_, i);
      if (weight == 0) continue;  // y may hold anything there
      const double d = static_cast<double>(out.data()[i]) - static_cast<double>(y_.data()[i]);
      sum += weight * d * d;
      expected += weight * noise_.at(out.data()[i]);
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
  NoiseVariance noise_;
  std::optional<double> ratio_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Stopper> make_discrepancy(Tensor y, Tensor known, float sigma) {
  return std::make_unique<Discrepancy>(std::move(y), std::move(known), sigma);
}

}  // namespace unmar
