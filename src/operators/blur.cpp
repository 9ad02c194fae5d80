#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/fail.h"
#include "unmar/operators/operators.h"

namespace unmar {
namespace {

/// A kernel larger than this is a mistake, and would take hours.
constexpr double kMostReach = 500;

void require_size(double value, double most, const char* what) {
  if (!(value > 0 && value <= most))
    fail(ErrorCode::bad_argument, "{} must be above 0 and at most {}, got {}", what, most, value);
}

Tensor normalised(Tensor kernel) {
  double sum = 0;
  for (const float v : kernel.values()) sum += static_cast<double>(v);
  for (float& v : kernel.values()) v = static_cast<float>(static_cast<double>(v) / sum);
  return kernel;
}

/// A blur convolves, the op correlates: its taps are the kernel turned by 180 degrees.
Filter filter_of(const Tensor& kernel) {
  auto taps = std::make_shared<Tensor>(kernel.shape());
  std::reverse_copy(kernel.values().begin(), kernel.values().end(), taps->values().begin());
  return {std::move(taps), Border::reflect};
}

class Blur final : public Operator {
 public:
  /// Filters by the product of the kernels, one after the other.
  Blur(std::string text, const std::vector<Tensor>& kernels) : text_(std::move(text)) {
    for (const Tensor& kernel : kernels) {
      filters_.push_back(filter_of(kernel));
      reach_h_ = std::max(reach_h_, kernel.shape().h / 2);
      reach_w_ = std::max(reach_w_, kernel.shape().w / 2);
    }
  }

  std::string describe() const override { return text_; }

  Shape output_shape(const Shape& x) const override {
    if (x.h <= reach_h_ || x.w <= reach_w_)
      fail(ErrorCode::bad_argument,
           "{}: reaches {}x{} pixels around each, which a picture of {}x{} does not have to mirror "
           "at its edges; give a larger picture or a smaller blur",
           text_, reach_w_, reach_h_, x.w, x.h);
    return x;
  }

  NodeId write(Graph& graph, NodeId x) const override {
    output_shape(graph.shape(x));
    for (const Filter& filter : filters_)
      x = graph.add(filter, {x}, fmt::format("A.blur{}", graph.nodes().size()));
    return x;
  }
  int reach() const override { return std::max(reach_h_, reach_w_); }
  std::unique_ptr<Operator> restricted(const Shape&, const Rect&) const override {
    return std::make_unique<Blur>(*this);
  }

 private:
  std::string text_;
  std::vector<Filter> filters_;
  int reach_h_ = 0, reach_w_ = 0;
};

/// How much of the interval [from, to] lies within half a pixel of `centre`.
double overlap(double from, double to, double centre) {
  return std::max(0.0, std::min(to, centre + 0.5) - std::max(from, centre - 0.5));
}

/// The t of [from, to] for which t * slope lies within half a pixel of `centre`.
void clip(double& from, double& to, double slope, double centre) {
  if (std::abs(slope) < 1e-9) {
    if (std::abs(centre) > 0.5) to = from;
    return;
  }
  const double a = (centre - 0.5) / slope, b = (centre + 0.5) / slope;
  from = std::max(from, std::min(a, b));
  to = std::min(to, std::max(a, b));
}

}  // namespace

std::unique_ptr<Operator> make_gaussian_blur(double sigma) {
  constexpr double kCut = 4;  // sigmas; what lies beyond is 6e-5 of all
  require_size(sigma, kMostReach / kCut, "gaussian blur: sigma");
  const int reach = static_cast<int>(kCut * sigma + 0.5);
  Tensor row({1, 1, 1, 2 * reach + 1}), column({1, 1, 2 * reach + 1, 1});
  for (int i = -reach; i <= reach; ++i)
    row.at(0, 0, 0, reach + i) = column.at(0, 0, reach + i, 0) =
        static_cast<float>(std::exp(-0.5 * (i / sigma) * (i / sigma)));
  return std::make_unique<Blur>(fmt::format("gaussian blur of sigma {}", sigma),
                                std::vector{normalised(column), normalised(row)});
}

std::unique_ptr<Operator> make_motion_blur(double length, double angle) {
  require_size(length, 2 * kMostReach, "motion blur: the length");
  if (!std::isfinite(angle))
    fail(ErrorCode::bad_argument, "motion blur: the angle must be finite, got {}", angle);
  const double turn = angle * std::numbers::pi / 180;
  const double dx = std::cos(turn), dy = -std::sin(turn);  // rows grow downwards
  const auto reach = [&](double slope) {
    return static_cast<int>(std::ceil(std::abs(slope) * length / 2 - 0.5 - 1e-6));
  };
  const int h = std::max(0, reach(dy)), w = std::max(0, reach(dx));
  Tensor kernel({1, 1, 2 * h + 1, 2 * w + 1});
  for (int y = -h; y <= h; ++y)
    for (int x = -w; x <= w; ++x) {
      double from = -length / 2, to = length / 2;
      clip(from, to, dx, x);
      clip(from, to, dy, y);
      kernel.at(0, 0, h + y, w + x) = static_cast<float>(std::max(0.0, to - from));
    }
  return std::make_unique<Blur>(fmt::format("motion blur of {} px at {} degrees", length, angle),
                                std::vector{normalised(std::move(kernel))});
}

std::unique_ptr<Operator> make_disk_blur(double radius) {
  require_size(radius, kMostReach, "disk blur: the radius");
  constexpr int kLines = 64;  // per pixel; across them the area is exact
  const int reach = static_cast<int>(std::ceil(radius - 0.5));
  Tensor kernel({1, 1, 2 * reach + 1, 2 * reach + 1}, reach == 0 ? 1.f : 0.f);
  for (int y = -reach; reach > 0 && y <= reach; ++y)
    for (int k = 0; k < kLines; ++k) {
      const double v = y + (k + 0.5) / kLines - 0.5;
      if (std::abs(v) >= radius) continue;
      const double half = std::sqrt(radius * radius - v * v);
      for (int x = -reach; x <= reach; ++x)
        kernel.at(0, 0, reach + y, reach + x) += static_cast<float>(overlap(-half, half, x));
    }
  return std::make_unique<Blur>(fmt::format("disk blur of radius {}", radius),
                                std::vector{normalised(std::move(kernel))});
}

std::unique_ptr<Operator> make_kernel_blur(Tensor kernel) {
  const Shape& s = kernel.shape();
  if (kernel.empty() || s.n != 1 || s.c != 1 || std::max(s.h, s.w) > 2 * kMostReach + 1)
    fail(ErrorCode::bad_argument, "blur: the kernel must be [1,1,h,w] of at most {} px, got {}",
         2 * kMostReach + 1, to_string(s));
  double sum = 0;
  for (const float v : kernel.values()) {
    if (!std::isfinite(v))
      fail(ErrorCode::bad_argument, "blur: the kernel's values must be finite, got {}", v);
    sum += static_cast<double>(v);
  }
  if (!(sum > 0))
    fail(ErrorCode::bad_argument, "blur: the kernel's values must sum to more than 0, got {}", sum);
  std::string text = fmt::format("blur by a kernel of {}x{}", s.w, s.h);
  return std::make_unique<Blur>(std::move(text), std::vector{normalised(std::move(kernel))});
}

}  // namespace unmar
