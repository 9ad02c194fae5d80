#include <cmath>

#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

/// A few numbers per picture: plain loops in double.
class TimeStep : public Step {
 public:
  TimeStep(const TimeEmbedding& op, const UnaryPlaces& places) : op_(op), p_(places) {
    const int half = op_.channels / 2;
    for (int i = 0; i < half; ++i)
      frequencies_.push_back(std::pow(10000.0, -i / (half - double{op_.freq_shift})));
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer}, {}};
    if (p_.d_src) u.backward = {p_.src.buffer, p_.d_dst.buffer, p_.d_src.place.buffer};
    return u;
  }

  void forward(const Pass&) override {
    const View src = p_.src.view(), dst = p_.dst.view();
    for (int n = 0; n < src.n; ++n)
      for (std::size_t i = 0; i < frequencies_.size(); ++i) {
        const double angle = double{*src.pixel(n)} * frequencies_[i];
        sine(dst, n)[i] = static_cast<float>(std::sin(angle));
        cosine(dst, n)[i] = static_cast<float>(std::cos(angle));
      }
  }

  void backward(const Pass&) override {
    if (!p_.d_src) return;
    const View src = p_.src.view(), d_dst = p_.d_dst.view(), d_src = p_.d_src.place.view();
    for (int n = 0; n < src.n; ++n) {
      double sum = p_.d_src.accumulate ? double{*d_src.pixel(n)} : 0.0;
      for (std::size_t i = 0; i < frequencies_.size(); ++i) {
        const double angle = double{*src.pixel(n)} * frequencies_[i];
        sum += frequencies_[i] *
               (sine(d_dst, n)[i] * std::cos(angle) - cosine(d_dst, n)[i] * std::sin(angle));
      }
      *d_src.pixel(n) = static_cast<float>(sum);
    }
  }

 private:
  float* sine(const View& v, int n) const {
    return v.pixel(n) + (op_.flip_sin_to_cos ? op_.channels / 2 : 0);
  }
  float* cosine(const View& v, int n) const {
    return v.pixel(n) + (op_.flip_sin_to_cos ? 0 : op_.channels / 2);
  }

  TimeEmbedding op_;
  UnaryPlaces p_;
  std::vector<double> frequencies_;
};

}  // namespace

std::unique_ptr<Step> make_time_embedding(const TimeEmbedding& op, const UnaryPlaces& places) {
  return std::make_unique<TimeStep>(op, places);
}

}  // namespace unmar::cpu
