#include <algorithm>
#include <array>
#include <vector>

#include "base/fail.h"
#include "fit/known.h"
#include "fit/running_average.h"
#include "fit/samples.h"
#include "fit/valley.h"
#include "unmar/fit/stop.h"

namespace unmar {
namespace {

constexpr const char* kSelfReferenceName = "self-reference";
constexpr int kBlock = 8;
constexpr int kDistance = 2;  // gray: nearer neighbours are learnt together with the pixel

/// Products of values without their block means, summed over blocks, of up to three planes each.
struct Moments {
  std::array<std::array<double, 3>, 3> xx{},
      xy{};  ///< predicted x predicted, predicted x reference
  std::array<double, 3> yy{};
};

/// What is left of reference `d` by the best prediction from the planes `a` and `b`.
double unexplained(const Moments& m, std::size_t d, std::size_t a, std::size_t b, double ridge) {
  const double aa = m.xx[a][a] + ridge, bb = m.xx[b][b] + ridge, ab = m.xx[a][b];
  const double ay = m.xy[a][d], by = m.xy[b][d];
  const double det = aa * bb - ab * ab;
  return m.yy[d] - (ay * (bb * ay - ab * by) + by * (aa * by - ab * ay)) / det;
}

class SelfReference final : public Stopper {
 public:
  SelfReference(const Tensor& y, const Tensor& known, const ValleyOptions& options,
                std::size_t max_samples)
      : shape_(y.shape()),
        planes_(static_cast<std::size_t>(shape_.c)),
        valley_(options.patience, options.min_start, kSelfReferenceName) {
    check_max_samples(max_samples, kSelfReferenceName);
    check_known(shape_, known, kSelfReferenceName);
    if (shape_.n != 1 || (shape_.c != 1 && shape_.c != 3))
      fail(ErrorCode::bad_argument, "{}: needs one picture of 1 or 3 channels, got {}",
           kSelfReferenceName, to_string(shape_));
    choose_blocks(y, known, max_samples);
    if (at_.empty())
      fail(ErrorCode::bad_argument,
           "{}: no {}x{} block of the {}x{} picture is known well enough; take another stopper",
           kSelfReferenceName, kBlock, kBlock, shape_.w, shape_.h);
    seen_ = Tensor({1, shape_.c, 1, static_cast<int>(at_.size())});
    average_ = RunningAverage(seen_.shape(), options.average);
  }

  std::string name() const override { return kSelfReferenceName; }

  Verdict observe(const Iterate& iterate) override {
    const Tensor& out = iterate.Ax;
    check_like_y(out, shape_, kSelfReferenceName);
    const auto plane = static_cast<std::size_t>(shape_.h) * static_cast<std::size_t>(shape_.w);
    for (std::size_t c = 0; c < planes_; ++c)
      for (std::size_t k = 0; k < at_.size(); ++k)
        seen_.data()[c * at_.size() + k] = out.data()[c * plane + at_[k]];
    average_.add(seen_);
    error_ = error();
    return valley_.observe(iterate.iteration, *error_);
  }

  std::optional<double> signal() const override { return error_; }
  void rewind(int) override {}  // as for held-out values: the average forgets

  void serialize(Archive& archive) override { archive(valley_, average_, error_); }

 private:
  void choose_blocks(const Tensor& y, const Tensor& known, std::size_t max_samples) {
    const auto columns = static_cast<std::size_t>((shape_.w + kBlock - 1) / kBlock);
    const auto rows = static_cast<std::size_t>((shape_.h + kBlock - 1) / kBlock);
    const std::size_t block = static_cast<std::size_t>(kBlock * kBlock) * planes_;
    reference_.resize(planes_);
    for (const std::size_t k :
         spread_samples(rows * columns, std::max<std::size_t>(1, max_samples / block)))
      add_block(y, known, static_cast<int>(k / columns) * kBlock,
                static_cast<int>(k % columns) * kBlock);
  }

  void add_block(const Tensor& y, const Tensor& known, int top, int left) {
    constexpr std::size_t kFewest = 8;  // pixels that make a block
    std::vector<std::size_t> at;
    std::vector<std::vector<float>> reference(planes_);
    for (int row = top; row < std::min(top + kBlock, shape_.h); ++row)
      for (int column = left; column < std::min(left + kBlock, shape_.w); ++column) {
        const auto values = references(y, known, row, column);
        if (values.empty()) continue;
        at.push_back(static_cast<std::size_t>(row) * static_cast<std::size_t>(shape_.w) +
                     static_cast<std::size_t>(column));
        for (std::size_t c = 0; c < planes_; ++c) reference[c].push_back(values[c]);
      }
    if (at.size() < kFewest) return;
    at_.insert(at_.end(), at.begin(), at.end());
    for (std::size_t c = 0; c < planes_; ++c)
      reference_[c].insert(reference_[c].end(), reference[c].begin(), reference[c].end());
    ends_.push_back(at_.size());
  }

  /// The noisy references of a pixel; empty if it, or all of them, are not known.
  std::vector<float> references(const Tensor& y, const Tensor& known, int row, int column) const {
    const auto is_known = [&](int c, int r, int k) {
      return known.empty() || known.at(0, c, r, k) >= 1.f;
    };
    std::vector<float> values;
    for (int c = 0; c < shape_.c; ++c) {
      if (!is_known(c, row, column)) return {};
      values.push_back(y.at(0, c, row, column));
    }
    if (shape_.c > 1) return values;
    float sum = 0;
    int count = 0;
    for (const auto& [dy, dx] :
         {std::pair{-kDistance, 0}, {kDistance, 0}, {0, -kDistance}, {0, kDistance}}) {
      const int r = row + dy, k = column + dx;
      if (r < 0 || r >= shape_.h || k < 0 || k >= shape_.w || !is_known(0, r, k)) continue;
      sum += y.at(0, 0, r, k);
      ++count;
    }
    if (count == 0) return {};
    return {sum / static_cast<float>(count)};
  }

  double error() const {
    Moments m;
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      add_moments(begin, end, m);
      begin = end;
    }
    // One level of 8 bits, squared: a start without any detail must not divide by zero.
    const double ridge = 1.5e-5 * static_cast<double>(at_.size());
    double sum = 0;
    if (planes_ == 1) {
      sum = m.yy[0] - m.xy[0][0] * m.xy[0][0] / (m.xx[0][0] + ridge);
    } else {
      for (std::size_t d = 0; d < 3; ++d) sum += unexplained(m, d, (d + 1) % 3, (d + 2) % 3, ridge);
    }
    return sum / static_cast<double>(planes_ * at_.size());
  }

  void add_moments(std::size_t begin, std::size_t end, Moments& m) const {
    const auto n = static_cast<double>(end - begin);
    std::array<const float*, 3> x{}, y{};
    std::array<double, 3> mean_x{}, mean_y{};
    for (std::size_t c = 0; c < planes_; ++c) {
      x[c] = average_.value().data() + c * at_.size();
      y[c] = reference_[c].data();
      for (std::size_t k = begin; k < end; ++k) {
        mean_x[c] += static_cast<double>(x[c][k]) / n;
        mean_y[c] += static_cast<double>(y[c][k]) / n;
      }
    }
    for (std::size_t k = begin; k < end; ++k)
      for (std::size_t a = 0; a < planes_; ++a) {
        const double xa = static_cast<double>(x[a][k]) - mean_x[a];
        const double ya = static_cast<double>(y[a][k]) - mean_y[a];
        m.yy[a] += ya * ya;
        for (std::size_t b = 0; b < planes_; ++b) {
          m.xx[a][b] += xa * (static_cast<double>(x[b][k]) - mean_x[b]);
          m.xy[a][b] += xa * (static_cast<double>(y[b][k]) - mean_y[b]);
        }
      }
  }

  Shape shape_;
  std::size_t planes_;
  Valley valley_;
  std::vector<std::size_t> at_;                ///< pixels watched, block by block
  std::vector<std::size_t> ends_;              ///< of the blocks in at_
  std::vector<std::vector<float>> reference_;  ///< of each plane, per pixel watched
  Tensor seen_;                                ///< what the iterate predicts there, [1,c,1,watched]
  RunningAverage average_{{}, 0.f};            ///< of that
  std::optional<double> error_;
};

}  // namespace

std::unique_ptr<Stopper> make_self_reference(const Tensor& y, const Tensor& known,
                                             const ValleyOptions& options,
                                             std::size_t max_samples) {
  return std::make_unique<SelfReference>(y, known, options, max_samples);
}

}  // namespace unmar
