#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/cpu/kernels.h"
#include "engine/cpu/range.h"
#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

/// Sums body(row) over the rows in double, in their order whatever the threads.
template <class Body>
double sum_rows(const Pass& pass, std::vector<double>& partial, const Body& body) {
  pass.pool->run(static_cast<int>(partial.size()),
                 [&](int row, int) { partial[static_cast<std::size_t>(row)] = body(row); });
  double sum = 0;
  for (const double p : partial) sum += p;
  return sum;
}

class BinaryStep : public Step {
 public:
  explicit BinaryStep(const BinaryPlaces& places) : p_(places) {}
  Uses uses() override {
    Uses u{{p_.a.buffer, p_.b.buffer, p_.dst.buffer}, {}};
    if (p_.d_dst) u.backward = {p_.a.buffer, p_.b.buffer, p_.d_dst.buffer};
    for (const GradPlace* g : {&p_.d_a, &p_.d_b})
      if (*g) u.backward.push_back(g->place.buffer);
    return u;
  }

 protected:
  BinaryPlaces p_;
};

void store(float& dst, float value, bool accumulate) { dst = accumulate ? dst + value : value; }

class MultiplyStep : public BinaryStep {
 public:
  using BinaryStep::BinaryStep;

  void forward(const Pass& pass) override {
    const View a = p_.a.view(), b = p_.b.view(), dst = p_.dst.view();
    const bool shared = b.c != a.c;
    pass.pool->run(a.rows(), [&](int row, int) {
      for (int x = 0; x < a.w; ++x)
        for (int c = 0; c < a.c; ++c)
          dst.row(row)[x * dst.ld + c] =
              a.row(row)[x * a.ld + c] * b.row(row)[x * b.ld + (shared ? 0 : c)];
    });
  }
  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    const View a = p_.a.view(), b = p_.b.view(), d_dst = p_.d_dst.view();
    const bool shared = b.c != a.c;
    pass.pool->run(a.rows(), [&](int row, int) {
      const float* grad = d_dst.row(row);
      if (p_.d_a) {
        const View d_a = p_.d_a.place.view();
        for (int x = 0; x < a.w; ++x)
          for (int c = 0; c < a.c; ++c)
            store(d_a.row(row)[x * d_a.ld + c],
                  grad[x * d_dst.ld + c] * b.row(row)[x * b.ld + (shared ? 0 : c)],
                  p_.d_a.accumulate);
      }
      if (p_.d_b) {
        const View d_b = p_.d_b.place.view();
        for (int x = 0; x < a.w; ++x)
          for (int c = 0; c < a.c; ++c)
            store(d_b.row(row)[x * d_b.ld + (shared ? 0 : c)],
                  grad[x * d_dst.ld + c] * a.row(row)[x * a.ld + c],
                  p_.d_b.accumulate || (shared && c > 0));
      }
    });
  }
};

/// Mean of Element::value(a, b); slope_a and slope_b are the derivatives of one element.
template <class Element>
class MeanLoss : public BinaryStep {
 public:
  explicit MeanLoss(const BinaryPlaces& places)
      : BinaryStep(places),
        partial_(static_cast<std::size_t>(places.a.shape.n) *
                 static_cast<std::size_t>(places.a.shape.h)) {}

  void forward(const Pass& pass) override {
    const View a = p_.a.view(), b = p_.b.view();
    const double sum = sum_rows(pass, partial_, [&](int row) {
      double s = 0;
      for (int x = 0; x < a.w; ++x)
        for (int c = 0; c < a.c; ++c)
          s += Element::value(a.row(row)[x * a.ld + c], b.row(row)[x * b.ld + c]);
      return s;
    });
    *p_.dst.view().data = static_cast<float>(sum / static_cast<double>(p_.a.shape.count()));
  }
  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    const View a = p_.a.view(), b = p_.b.view();
    const float scale = *p_.d_dst.view().data / static_cast<float>(p_.a.shape.count());
    pass.pool->run(a.rows(), [&](int row, int) {
      for (int x = 0; x < a.w; ++x)
        for (int c = 0; c < a.c; ++c) {
          const float va = a.row(row)[x * a.ld + c], vb = b.row(row)[x * b.ld + c];
          if (p_.d_a) {
            const View d_a = p_.d_a.place.view();
            store(d_a.row(row)[x * d_a.ld + c], scale * Element::slope_a(va, vb),
                  p_.d_a.accumulate);
          }
          if (p_.d_b) {
            const View d_b = p_.d_b.place.view();
            store(d_b.row(row)[x * d_b.ld + c], scale * Element::slope_b(va, vb),
                  p_.d_b.accumulate);
          }
        }
    });
  }

 private:
  std::vector<double> partial_;
};

struct Square {
  static double value(float a, float b) { return static_cast<double>(a - b) * (a - b); }
  static float slope_a(float a, float b) { return 2.f * (a - b); }
  static float slope_b(float a, float b) { return -slope_a(a, b); }
};
struct Absolute {
  static double value(float a, float b) { return std::abs(a - b); }
  static float slope_a(float a, float b) { return a > b ? 1.f : a < b ? -1.f : 0.f; }
  static float slope_b(float a, float b) { return -slope_a(a, b); }
};
/// The logarithm as it neither overflows nor cancels.
struct CrossEntropy {
  static double value(float a, float b) {
    const double logit = a;
    return std::max(logit, 0.0) + std::log1p(std::exp(-std::abs(logit))) - logit * b;
  }
  static float slope_a(float a, float b) {
    return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(a)))) - b;
  }
  static float slope_b(float a, float) { return -a; }
};

class TotalVariationStep : public Step {
 public:
  TotalVariationStep(const TotalVariation& op, const UnaryPlaces& places)
      : op_(op),
        p_(places),
        partial_(static_cast<std::size_t>(places.src.shape.n) *
                 static_cast<std::size_t>(places.src.shape.h)) {
    const Shape& s = p_.src.shape;
    count_ = static_cast<double>(s.n) * s.c * (s.h - 1) * (s.w - 1);
  }
  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer}, {}};
    if (p_.d_src) u.backward = {p_.src.buffer, p_.d_dst.buffer, p_.d_src.place.buffer};
    return u;
  }

  void forward(const Pass& pass) override {
    const View v = p_.src.view();
    const double sum = sum_rows(pass, partial_, [&](int row) {
      double s = 0;
      if (row % v.h < v.h - 1)
        for (int x = 0; x + 1 < v.w; ++x)
          for (int c = 0; c < v.c; ++c)
            s += std::pow(squared_gradient(v, row, x, c), static_cast<double>(op_.beta));
      return s;
    });
    *p_.dst.view().data = static_cast<float>(sum / count_);
  }

  /// Gathers, so that rows can be worked on in parallel: pixel (y, x) takes part in the terms at
  /// (y, x), (y, x - 1) and (y - 1, x).
  void backward(const Pass& pass) override {
    if (!p_.d_src) return;
    const View v = p_.src.view(), d_src = p_.d_src.place.view();
    const double scale = *p_.d_dst.view().data / count_;
    pass.pool->run(v.rows(), [&](int row, int) {
      const int y = row % v.h;
      for (int x = 0; x < v.w; ++x)
        for (int c = 0; c < v.c; ++c) {
          double d = 0;
          const auto at = [&](int r, int col) {
            return static_cast<double>(v.row(r)[col * v.ld + c]);
          };
          if (y + 1 < v.h && x + 1 < v.w)
            d -= factor(v, row, x, c) * (at(row, x + 1) + at(row + 1, x) - 2 * at(row, x));
          if (y + 1 < v.h && x > 0) d += factor(v, row, x - 1, c) * (at(row, x) - at(row, x - 1));
          if (y > 0 && x + 1 < v.w) d += factor(v, row - 1, x, c) * (at(row, x) - at(row - 1, x));
          store(d_src.row(row)[x * d_src.ld + c], static_cast<float>(scale * d),
                p_.d_src.accumulate);
        }
    });
  }

 private:
  double squared_gradient(const View& v, int row, int x, int c) const {
    const float here = v.row(row)[x * v.ld + c];
    const double dx = static_cast<double>(v.row(row)[(x + 1) * v.ld + c]) - here;
    const double dy = static_cast<double>(v.row(row + 1)[x * v.ld + c]) - here;
    return dx * dx + dy * dy + op_.eps;
  }
  /// Derivative of the term at (row, x) by its squared gradient, times two.
  double factor(const View& v, int row, int x, int c) const {
    return 2.0 * op_.beta * std::pow(squared_gradient(v, row, x, c), op_.beta - 1.0);
  }

  TotalVariation op_;
  UnaryPlaces p_;
  std::vector<double> partial_;
  double count_;
};

class WeightedSumStep : public Step {
 public:
  explicit WeightedSumStep(const SumPlaces& places) : p_(places) {}
  Uses uses() override {
    Uses u{{p_.dst.buffer}, {}};
    for (const Place& s : p_.src) u.forward.push_back(s.buffer);
    if (p_.d_dst) u.backward.push_back(p_.d_dst.buffer);
    for (const GradPlace& g : p_.d_src)
      if (g) u.backward.push_back(g.place.buffer);
    return u;
  }
  void forward(const Pass&) override {
    double sum = 0;
    for (std::size_t i = 0; i < p_.src.size(); ++i)
      sum += static_cast<double>(p_.weights[i]) * *p_.src[i].view().data;
    *p_.dst.view().data = static_cast<float>(sum);
  }
  void backward(const Pass&) override {
    for (std::size_t i = 0; i < p_.d_src.size(); ++i)
      if (p_.d_src[i])
        store(*p_.d_src[i].place.view().data, p_.weights[i] * *p_.d_dst.view().data,
              p_.d_src[i].accumulate);
  }

 private:
  SumPlaces p_;
};

}  // namespace

std::unique_ptr<Step> make_multiply(const BinaryPlaces& places) {
  return std::make_unique<MultiplyStep>(places);
}
std::unique_ptr<Step> make_mse(const BinaryPlaces& places) {
  return std::make_unique<MeanLoss<Square>>(places);
}
std::unique_ptr<Step> make_l1(const BinaryPlaces& places) {
  return std::make_unique<MeanLoss<Absolute>>(places);
}
std::unique_ptr<Step> make_bce_with_logits(const BinaryPlaces& places) {
  return std::make_unique<MeanLoss<CrossEntropy>>(places);
}
std::unique_ptr<Step> make_total_variation(const TotalVariation& op, const UnaryPlaces& places) {
  return std::make_unique<TotalVariationStep>(op, places);
}
std::unique_ptr<Step> make_weighted_sum(const SumPlaces& places) {
  return std::make_unique<WeightedSumStep>(places);
}

}  // namespace unmar::cpu
