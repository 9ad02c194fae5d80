#include <cmath>

#include "base/fail.h"
#include "fit/known.h"
#include "unmar/fit/stop.h"

namespace unmar {
namespace {

constexpr const char* kSureName = "SURE";

class Sure final : public Stopper {
 public:
  Sure(Tensor y, const SureOptions& options)
      : y_(std::move(y)),
        variance_(static_cast<double>(options.sigma) * static_cast<double>(options.sigma)),
        every_(options.every) {
    if (!(options.sigma > 0.f && std::isfinite(options.sigma)))
      fail(ErrorCode::bad_argument, "{}: sigma must be above 0, got {}", kSureName, options.sigma);
    if (options.every < 1)
      fail(ErrorCode::bad_argument, "{}: every must be at least 1, got {}", kSureName,
           options.every);
  }

  std::string name() const override { return kSureName; }
  bool wants_probe(int iteration) const override { return iteration % every_ == 0; }

  void probe(const Tensor& Ax_without_jitter, const Tensor& jittered_input) override {
    check_like_y(Ax_without_jitter, y_.shape(), kSureName);
    plain_ = Ax_without_jitter;
    const Shape& s = y_.shape();
    const Shape& z = jittered_input.shape();
    if (z.c != s.c || z.n != s.n || z.h < s.h || z.w < s.w)
      fail(ErrorCode::bad_argument,
           "{}: the network's input is {}, which is not the observation of {}; take input observed",
           kSureName, to_string(z), to_string(s));
    // A network that wants a larger input gets the picture in its middle.
    const int top = (z.h - s.h) / 2, left = (z.w - s.w) / 2;
    jitter_ = Tensor(s);
    for (int n = 0; n < s.n; ++n)
      for (int c = 0; c < s.c; ++c)
        for (int row = 0; row < s.h; ++row)
          for (int column = 0; column < s.w; ++column)
            jitter_.at(n, c, row, column) =
                jittered_input.at(n, c, top + row, left + column) - y_.at(n, c, row, column);
  }

  Verdict observe(const Iterate& iterate) override {
    check_like_y(iterate.Ax, y_.shape(), kSureName);
    if (wants_probe(iterate.iteration)) {
      if (plain_.empty())
        fail(ErrorCode::bad_argument, "{}: the fit gives no probes; set ProblemOptions::keep_input",
             kSureName);
      risk_ = risk(iterate.Ax);
    }
    const bool fresh = !ended_;
    ended_ = ended_ || (risk_ && *risk_ < 0);
    return {fresh, ended_};
  }

  std::optional<double> signal() const override { return risk_; }
  void rewind(int) override {}  // each probe is judged by itself

  void serialize(Archive& archive) override {
    archive(plain_, jitter_, risk_, ended_);
    archive.require(plain_.empty() || plain_.shape() == y_.shape(),
                    "it is of a picture of another size");
  }

 private:
  double risk(const Tensor& out) const {
    double squares = 0, jitter = 0, response = 0;
    for (std::size_t i = 0; i < out.count(); ++i) {
      const auto y = static_cast<double>(y_.data()[i]), f = static_cast<double>(plain_.data()[i]);
      const auto b = static_cast<double>(jitter_.data()[i]);
      squares += (f - y) * (f - y);
      jitter += b * b;
      response += b * (static_cast<double>(out.data()[i]) - f);
    }
    // |b|^2 stands for its mean, N s^2: the same estimate, with less variance.
    const double divergence_by_count = response / jitter;
    return squares / static_cast<double>(out.count()) - variance_ +
           2 * variance_ * divergence_by_count;
  }

  Tensor y_;
  double variance_;
  int every_;
  Tensor plain_, jitter_;
  std::optional<double> risk_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Stopper> make_sure(Tensor y, const SureOptions& options) {
  return std::make_unique<Sure>(std::move(y), options);
}

}  // namespace unmar
