#include <limits>
#include <utility>

#include "base/fail.h"
#include "fit/known.h"
#include "fit/noise_variance.h"
#include "unmar/fit/stages.h"

namespace unmar {
namespace {

constexpr const char* kStagesName = "stages";

class StageRisk final : public Stopper {
 public:
  StageRisk(const StagedTargets& stages, Tensor y, double sigma, int patience)
      : stages_(stages),
        y_(std::move(y)),
        noise_(y_, sigma),
        patience_(patience),
        mean_(y_.shape()) {
    if (!(sigma >= 0) || patience < 1)
      fail(ErrorCode::bad_argument,
           "{}: sigma must not be negative and patience at least 1, got {} and {}", kStagesName,
           sigma, patience);
  }

  std::string name() const override { return kStagesName; }

  Verdict observe(const Iterate& iterate) override {
    check_like_y(iterate.Ax, y_.shape(), kStagesName);
    gather(iterate.Ax);
    if (!stages_.ends_stage(iterate.iteration)) return {};
    const int stage = stages_.stage_of(iterate.iteration);
    risk_ = risk(stage);
    count_ = 0;
    Verdict verdict;
    verdict.new_best = *risk_ < least_;
    if (verdict.new_best) least_ = *risk_, best_stage_ = stage;
    verdict.stop = stage - best_stage_ >= patience_;
    return verdict;
  }

  std::optional<double> signal() const override { return risk_; }
  void rewind(int) override {}

  void serialize(Archive& archive) override {
    archive(mean_, count_, share_, risk_, least_, best_stage_);
    archive.require(mean_.shape() == y_.shape(), "its stages are of a picture of another size");
  }

 private:
  /// A mean that forgets all but about the last ten.
  void gather(const Tensor& out) {
    constexpr float kDecay = 0.9f;
    const float keep = count_++ == 0 ? 0.f : kDecay;
    for (std::size_t i = 0; i < out.count(); ++i)
      mean_.data()[i] = keep * mean_.data()[i] + (1 - keep) * out.data()[i];
  }

  double risk(int stage) {
    const double level = stages_.sigma(stage);
    const Tensor eps = level > 0 ? stages_.noise(stage) : Tensor(y_.shape());
    double distance = 0, along = 0, length = 0, variance = 0;
    for (std::size_t i = 0; i < y_.count(); ++i) {
      const double d = static_cast<double>(mean_.data()[i]) - static_cast<double>(y_.data()[i]);
      const double e = static_cast<double>(eps.data()[i]);
      distance += d * d;
      along += d * e;
      length += e * e;
      variance += noise_.at(mean_.data()[i]);
    }
    if (level > 0) share_ = along / (level * length);
    return (distance - variance + 2 * share_ * variance) / static_cast<double>(y_.count());
  }

  const StagedTargets& stages_;
  Tensor y_;
  NoiseVariance noise_;
  int patience_;
  Tensor mean_;
  int count_ = 0;     ///< iterates in it
  double share_ = 0;  ///< r
  std::optional<double> risk_;
  double least_ = std::numeric_limits<double>::infinity();
  int best_stage_ = 0;
};

}  // namespace

std::unique_ptr<Stopper> make_stage_risk(const StagedTargets& stages, Tensor y, double sigma,
                                         int patience) {
  return std::make_unique<StageRisk>(stages, std::move(y), sigma, patience);
}

}  // namespace unmar
