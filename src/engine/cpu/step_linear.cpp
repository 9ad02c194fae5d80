#include <algorithm>
#include <utility>

#include "engine/cpu/range.h"
#include "engine/cpu/steps.h"

namespace unmar::cpu {
namespace {

class LinearStep : public Step {
 public:
  LinearStep(LinearMap rows, LinearMap cols, const UnaryPlaces& places, const NormScales* norm,
             const Act& act, Buffers& buffers, int threads)
      : p_(places),
        norm_(norm),
        act_(act),
        rows_(std::move(rows)),
        cols_(std::move(cols)),
        rows_t_(transposed(rows_)),
        cols_t_(transposed(cols_)) {
    const auto widest = static_cast<std::size_t>(std::max(p_.src.shape.w, p_.dst.shape.w)) *
                        static_cast<std::size_t>(p_.src.shape.c);
    line_ = static_cast<std::ptrdiff_t>(widest);
    lines_ = buffers.make_scratch(static_cast<std::size_t>(threads) * widest);
    std::size_t taps = 1;
    for (const LinearMap* map : {&rows_, &rows_t_})
      for (int i = 0; i < map->dst_size(); ++i)
        taps = std::max(taps, static_cast<std::size_t>(map->begin[static_cast<std::size_t>(i) + 1] -
                                                       map->begin[static_cast<std::size_t>(i)]));
    pointers_.assign(static_cast<std::size_t>(threads), std::vector<const float*>(taps));
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer, lines_}, {}};
    if (p_.d_src) u.backward = {p_.d_dst.buffer, p_.d_src.place.buffer, lines_};
    return u;
  }
  void forward(const Pass& pass) override {
    apply(pass, rows_, cols_, p_.src.view(), p_.dst.view(), norm_, false);
  }
  bool can_recompute() const override { return true; }
  void recompute(const Pass& pass) override { forward(pass); }
  void backward(const Pass& pass) override {
    if (p_.d_src)
      apply(pass, rows_t_, cols_t_, p_.d_dst.view(), p_.d_src.place.view(), nullptr,
            p_.d_src.accumulate);
  }

 private:
  /// Each destination row: first the source rows that reach it are combined into one line, then the
  /// pixels of that line.
  void apply(const Pass& pass, const LinearMap& rows, const LinearMap& cols, const View& src,
             const View& dst, const NormScales* norm, bool accumulate) {
    pass.pool->run(dst.rows(), [&](int row, int thread) {
      const int image = row / dst.h, y = row % dst.h;
      const auto first = static_cast<std::size_t>(rows.begin[static_cast<std::size_t>(y)]);
      const int taps = rows.begin[static_cast<std::size_t>(y) + 1] - static_cast<int>(first);
      const auto source_row = [&](int k) {
        return src.row(image * src.h + rows.index[first + static_cast<std::size_t>(k)]);
      };

      const float* line = nullptr;
      std::ptrdiff_t line_ld = src.c;
      if (!norm && taps == 1 && rows.weight[first] == 1.f) {
        line = source_row(0);
        line_ld = src.ld;
      } else {
        float* to = lines_->data + thread * line_;
        const float** pointers = pointers_[static_cast<std::size_t>(thread)].data();
        const float* weights = rows.weight.data() + first;
        for (int k = 0; k < taps; ++k) pointers[k] = source_row(k);
        if (norm) {
          combine_mapped_rows(pointers, src.ld, weights, taps, pixel_map(norm, act_, image, src.c),
                              src.w, src.c, to);
        } else if (src.dense()) {
          combine_rows(pointers, weights, taps,
                       static_cast<std::size_t>(src.w) * static_cast<std::size_t>(src.c), to);
        } else {
          for (int x = 0; x < src.w; ++x) {
            for (int k = 0; k < taps; ++k) pointers[k] = source_row(k) + x * src.ld;
            combine_rows(pointers, weights, taps, static_cast<std::size_t>(src.c), to + x * src.c);
          }
        }
        line = to;
      }
      combine_pixels(line, line_ld, cols.begin.data(), cols.index.data(), cols.weight.data(), dst.w,
                     dst.c, dst.row(row), dst.ld, accumulate);
    });
  }

  UnaryPlaces p_;
  const NormScales* norm_;
  Act act_;
  LinearMap rows_, cols_, rows_t_, cols_t_;
  Buffer* lines_ = nullptr;  ///< one line of pixels per thread
  std::ptrdiff_t line_ = 0;
  std::vector<std::vector<const float*>>
      pointers_;  ///< per thread, source rows of one destination row
};

}  // namespace

std::unique_ptr<Step> make_linear(LinearMap rows, LinearMap cols, const UnaryPlaces& places,
                                  const NormScales* norm, const Act& act, Buffers& buffers,
                                  int threads) {
  return std::make_unique<LinearStep>(std::move(rows), std::move(cols), places, norm, act, buffers,
                                      threads);
}

}  // namespace unmar::cpu
