#include <cmath>

#include "base/fail.h"
#include "fit/valley.h"
#include "unmar/fit/stop.h"

namespace unmar {
namespace {

constexpr const char* kAutoName = "auto";

class Auto final : public Stopper {
 public:
  Auto(std::unique_ptr<Stopper> held_out, std::unique_ptr<Stopper> other, double weight,
       const ValleyOptions& options)
      : held_out_(std::move(held_out)),
        other_(std::move(other)),
        weight_(weight),
        valley_(options.patience, options.min_start, kAutoName) {
    if (!held_out_ || !other_) fail(ErrorCode::bad_argument, "{}: needs two stoppers", kAutoName);
    if (!(weight >= 0))
      fail(ErrorCode::bad_argument, "{}: weight must be 0 or more, got {}", kAutoName, weight);
  }

  std::string name() const override { return kAutoName; }

  Verdict observe(const Iterate& iterate) override {
    held_out_->observe(iterate);
    other_->observe(iterate);
    signal_.reset();
    if (held_out_->signal() && other_->signal())
      signal_ = mean(*held_out_->signal(), *other_->signal());
    return signal_ ? valley_.observe(iterate.iteration, *signal_) : valley_.idle();
  }

  std::optional<double> signal() const override { return signal_; }

  void rewind(int iteration) override {
    held_out_->rewind(iteration);
    other_->rewind(iteration);
  }

  void serialize(Archive& archive) override {
    archive(valley_, signal_);
    held_out_->serialize(archive);
    other_->serialize(archive);
  }

 private:
  /// Geometric, as the units of the two differ.
  double mean(double held_out, double other) const {
    constexpr double kLeast = 1e-12;  // nothing at all has no logarithm
    return std::exp(
        (std::log(std::max(held_out, kLeast)) + weight_ * std::log(std::max(other, kLeast))) /
        (1 + weight_));
  }

  std::unique_ptr<Stopper> held_out_, other_;
  double weight_;
  Valley valley_;
  std::optional<double> signal_;
};

}  // namespace

std::unique_ptr<Stopper> make_auto(std::unique_ptr<Stopper> held_out,
                                   std::unique_ptr<Stopper> other, double weight,
                                   const ValleyOptions& options) {
  return std::make_unique<Auto>(std::move(held_out), std::move(other), weight, options);
}

}  // namespace unmar
