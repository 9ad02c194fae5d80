#include <algorithm>
#include <cmath>
#include <vector>

#include "base/fail.h"
#include "fit/known.h"
#include "fit/running_average.h"
#include "fit/valley.h"
#include "unmar/base/random.h"
#include "unmar/fit/stop.h"

namespace unmar {
namespace {

constexpr const char* kHeldOutName = "held-out";

class HeldOut final : public Stopper {
 public:
  HeldOut(const Tensor& y, const Tensor& hidden, LossKind loss, const ValleyOptions& options)
      : shape_(y.shape()), loss_(loss), valley_(options.patience, options.min_start, kHeldOutName) {
    if (hidden.shape() != shape_)
      fail(ErrorCode::bad_argument, "{}: what is hidden is given as {}, but the observation is {}",
           kHeldOutName, to_string(hidden.shape()), to_string(shape_));
    for (std::size_t i = 0; i < hidden.count(); ++i)
      if (hidden.data()[i] > 0.f) {
        at_.push_back(i);
        target_.push_back(y.data()[i]);
      }
    if (at_.empty())
      fail(ErrorCode::bad_argument,
           "{}: no value of the observation is hidden; is the picture too small?", kHeldOutName);
    seen_ = Tensor({1, 1, 1, static_cast<int>(at_.size())});
    average_ = RunningAverage(seen_.shape(), options.average);
  }

  std::string name() const override { return kHeldOutName; }

  Verdict observe(const Iterate& iterate) override {
    const Tensor& out = iterate.Ax;
    check_like_y(out, shape_, kHeldOutName);
    for (std::size_t k = 0; k < at_.size(); ++k) seen_.data()[k] = out.data()[at_[k]];
    average_.add(seen_);
    double sum = 0;
    for (std::size_t k = 0; k < at_.size(); ++k) {
      const double d =
          static_cast<double>(average_.value().data()[k]) - static_cast<double>(target_[k]);
      sum += loss_ == LossKind::mse ? d * d : std::abs(d);
    }
    error_ = sum / static_cast<double>(at_.size());
    return valley_.observe(iterate.iteration, *error_);
  }

  std::optional<double> signal() const override { return error_; }
  // The iterates since the snapshot were good ones, and the average forgets them soon.
  void rewind(int) override {}

  void serialize(Archive& archive) override { archive(valley_, average_, error_); }

 private:
  Shape shape_;
  LossKind loss_;
  Valley valley_;
  std::vector<std::size_t> at_;      ///< of the hidden values
  std::vector<float> target_;        ///< what y holds there
  Tensor seen_;                      ///< what the iterate predicts there
  RunningAverage average_{{}, 0.f};  ///< of that
  std::optional<double> error_;
};

}  // namespace

Tensor hide_values(const Shape& y, const Tensor& known, const HideOptions& options) {
  if (!(options.fraction > 0 && options.fraction < 1))
    fail(ErrorCode::bad_argument, "{}: the fraction must lie between 0 and 1, got {}", kHeldOutName,
         options.fraction);
  check_known(y, known, kHeldOutName);
  const auto channels = static_cast<std::size_t>(y.c);
  const auto plane = static_cast<std::size_t>(y.h) * static_cast<std::size_t>(y.w);
  const auto is_known = [&](std::size_t picture, std::size_t pixel) {
    for (std::size_t c = 0; c < channels; ++c)
      if (known_at(known, (picture * channels + c) * plane + pixel) < 1) return false;
    return true;
  };
  const auto pictures = static_cast<std::size_t>(y.n);
  std::vector<float> hide(pictures * plane);
  std::size_t candidates = 0;
  for (std::size_t i = 0; i < hide.size(); ++i)
    candidates += is_known(i / plane, i % plane) ? 1 : 0;
  const double most = static_cast<double>(options.max_count) /
                      static_cast<double>(std::max<std::size_t>(1, candidates));
  Random(options.seed, "hidden")
      .bernoulli(hide, static_cast<float>(std::min(options.fraction, most)));
  Tensor hidden(y);
  for (std::size_t i = 0; i < hide.size(); ++i)
    if (hide[i] > 0.f && is_known(i / plane, i % plane))
      for (std::size_t c = 0; c < channels; ++c)
        hidden.data()[(i / plane * channels + c) * plane + i % plane] = 1.f;
  return hidden;
}

std::unique_ptr<Stopper> make_held_out(const Tensor& y, const Tensor& hidden, LossKind loss,
                                       const ValleyOptions& options) {
  return std::make_unique<HeldOut>(y, hidden, loss, options);
}

}  // namespace unmar
