#include <algorithm>
#include <array>
#include <vector>

#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

std::size_t size(int i) { return static_cast<std::size_t>(i); }

/// Every row is made at once: the rows under the kernel are copied with their borders around them,
/// so that each tap is one run of pixels, and the runs are added up.
class FilterStep : public Step {
 public:
  FilterStep(const Filter& op, const UnaryPlaces& places, Buffers& buffers, int threads)
      : p_(places),
        border_(op.border),
        height_(op.taps->shape().h),
        width_(op.taps->shape().w),
        taps_(size(height_)) {
    std::size_t count = 0;
    for (int i = 0; i < height_; ++i)
      for (int j = 0; j < width_; ++j)
        if (const float tap = op.taps->at(0, 0, i, j); tap != 0.f) {
          taps_[size(i)].push_back({j, tap});
          ++count;
        }
    const int w = p_.src.shape.w;
    padded_row_ = static_cast<std::ptrdiff_t>(w + 2 * (width_ - 1)) * p_.src.shape.c;
    line_size_ = static_cast<std::ptrdiff_t>(w + width_ - 1) * p_.src.shape.c;
    padded_ =
        buffers.make_scratch(size(threads) * size(height_) * static_cast<std::size_t>(padded_row_));
    lines_ = buffers.make_scratch(size(threads) * static_cast<std::size_t>(line_size_));
    runs_.assign(size(threads), Runs(count));
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer, padded_, lines_}, {}};
    if (p_.d_src) u.backward = {p_.d_dst.buffer, p_.d_src.place.buffer, padded_, lines_};
    return u;
  }

  void forward(const Pass& pass) override {
    const View src = p_.src.view(), dst = p_.dst.view();
    pass.pool->run(dst.rows(), [&](int row, int thread) {
      const int image = row / dst.h, y = row % dst.h;
      Runs& runs = runs_[size(thread)];
      runs.count = 0;
      for (int i = 0; i < height_; ++i) {
        const int from = source_row(y + i - above(), src.h);
        if (from < 0 || taps_[size(i)].empty()) continue;
        const float* pixels = padded(src, image * src.h + from, left(), width_ - 1 - left(),
                                     border_, padded_at(thread, i));
        for (const Tap& tap : taps_[size(i)]) runs.add(pixels + tap.column * src.c, tap.weight);
      }
      if (dst.dense()) {
        runs.combine(size(dst.w * dst.c), dst.row(row), false);
      } else {
        float* line = line_at(thread);
        runs.combine(size(dst.w * dst.c), line, false);
        add_line(line, dst, row, false);
      }
    });
  }

  /// The transpose. First of the filter without its borders: a line that is wider than the picture
  /// by the kernel, in which the rows that the border mirrors to this one are added. Then what lies
  /// beyond the edges comes back to the pixels that were mirrored there.
  void backward(const Pass& pass) override {
    if (!p_.d_src) return;
    const View d_dst = p_.d_dst.view(), d_src = p_.d_src.place.view();
    pass.pool->run(d_src.rows(), [&](int row, int thread) {
      const int image = row / d_src.h;
      float* line = line_at(thread);
      bool first = true;
      for (const int mirrored : mirrored_rows(row % d_src.h, d_src.h)) {
        if (mirrored == kNone) continue;
        gather(d_dst, image, mirrored, thread);
        runs_[size(thread)].combine(static_cast<std::size_t>(line_size_), line, !first);
        first = false;
      }
      if (border_ == Border::reflect) fold(line, d_src.w, d_src.c);
      add_line(line + left() * d_src.c, d_src, row, p_.d_src.accumulate);
    });
  }

 private:
  struct Tap {
    int column;
    float weight;
  };
  /// What is added up for a row.
  struct Runs {
    explicit Runs(std::size_t most) : pixels(most), weights(most) {}
    void add(const float* from, float weight) {
      pixels[size(count)] = from;
      weights[size(count++)] = weight;
    }
    void combine(std::size_t floats, float* dst, bool accumulate) const {
      combine_many(pixels.data(), weights.data(), count, floats, dst, accumulate);
    }
    std::vector<const float*> pixels;
    std::vector<float> weights;
    int count = 0;
  };
  static constexpr int kNone = -(1 << 30);

  int above() const { return (height_ - 1) / 2; }
  int left() const { return (width_ - 1) / 2; }
  float* padded_at(int thread, int i) const {
    return padded_->data + (static_cast<std::ptrdiff_t>(thread) * height_ + i) * padded_row_;
  }
  float* line_at(int thread) const { return lines_->data + thread * line_size_; }

  /// The row that row i stands for, which may lie outside; negative: none.
  int source_row(int i, int rows) const {
    if (i >= 0 && i < rows) return i;
    if (border_ == Border::zero) return -1;
    return i < 0 ? -i : 2 * (rows - 1) - i;
  }

  /// All rows, within reach of the kernel, that stand for row y.
  std::array<int, 3> mirrored_rows(int y, int rows) const {
    std::array<int, 3> result = {y, kNone, kNone};
    if (border_ == Border::zero) return result;
    const int from_end = rows - 1 - y;
    if (y >= 1 && y <= above()) result[1] = -y;
    if (from_end >= 1 && from_end <= height_ - 1 - above()) result[2] = rows - 1 + from_end;
    return result;
  }

  /// Row `row` of the view with `before` and `after` pixels around it: itself, if there is nothing
  /// to add, else in `to`.
  static const float* padded(const View& v, int row, int before, int after, Border border,
                             float* to) {
    const float* from = v.row(row);
    if (before == 0 && after == 0 && v.dense()) return from;
    float* middle = to + before * v.c;
    if (v.dense())
      std::copy_n(from, v.w * v.c, middle);
    else
      for (int x = 0; x < v.w; ++x) std::copy_n(from + x * v.ld, v.c, middle + x * v.c);
    const auto put = [&](int x, int source) {
      if (border == Border::zero)
        std::fill_n(middle + x * v.c, v.c, 0.f);
      else
        std::copy_n(middle + source * v.c, v.c, middle + x * v.c);
    };
    for (int x = 1; x <= before; ++x) put(-x, x);
    for (int x = 1; x <= after; ++x) put(v.w - 1 + x, v.w - 1 - x);
    return to;
  }

  /// What reaches row `row` of the padded picture, columns from -left() on.
  void gather(const View& d_dst, int image, int row, int thread) {
    Runs& runs = runs_[size(thread)];
    runs.count = 0;
    for (int i = 0; i < height_; ++i) {
      const int y = row + above() - i;
      if (y < 0 || y >= d_dst.h || taps_[size(i)].empty()) continue;
      const float* pixels = padded(d_dst, image * d_dst.h + y, width_ - 1, width_ - 1, Border::zero,
                                   padded_at(thread, i));
      for (const Tap& tap : taps_[size(i)])
        runs.add(pixels + (width_ - 1 - tap.column) * d_dst.c, tap.weight);
    }
  }

  void fold(float* line, int w, int c) const {
    float* middle = line + left() * c;
    const auto move = [&](int x, int source) {
      for (int k = 0; k < c; ++k) middle[source * c + k] += middle[x * c + k];
    };
    for (int x = 1; x <= left(); ++x) move(-x, x);
    for (int x = 1; x <= width_ - 1 - left(); ++x) move(w - 1 + x, w - 1 - x);
  }

  static void add_line(const float* line, const View& dst, int row, bool accumulate) {
    if (dst.dense()) return scale_add(dst.row(row), line, 1.f, size(dst.w * dst.c), accumulate);
    for (int x = 0; x < dst.w; ++x)
      scale_add(dst.row(row) + x * dst.ld, line + x * dst.c, 1.f, size(dst.c), accumulate);
  }

  UnaryPlaces p_;
  Border border_;
  int height_, width_;
  std::vector<std::vector<Tap>> taps_;  ///< of each row of the kernel, without zeros
  Buffer* padded_ = nullptr;            ///< as many rows per thread as the kernel has
  Buffer* lines_ = nullptr;             ///< one per thread
  std::ptrdiff_t padded_row_ = 0, line_size_ = 0;
  std::vector<Runs> runs_;  ///< per thread
};

}  // namespace

std::unique_ptr<Step> make_filter(const Filter& op, const UnaryPlaces& places, Buffers& buffers,
                                  int threads) {
  return std::make_unique<FilterStep>(op, places, buffers, threads);
}

}  // namespace unmar::cpu
