#include <algorithm>
#include <cstring>

#include "engine/cpu/conv.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/range.h"
#include "engine/plan/layout.h"

namespace unmar::cpu {
namespace {

class GemmConv : public Step {
 public:
  GemmConv(const ConvPlaces& places, Buffers& buffers, int threads) : p_(places) {
    const Shape& src = p_.src.shape;
    const Shape& dst = p_.dst.shape;
    taps_ = p_.op.kernel * p_.op.kernel;
    depth_ = taps_ * src.c;
    pointwise_ = p_.op.kernel == 1 && p_.op.stride == 1;
    gathers_ = !pointwise_ || p_.norm;
    in_place_ = p_.d_src && p_.d_src.place.buffer == p_.d_dst.buffer;

    cut_strips(dst);
    groups_ = std::min(kWeightGroups, strips_per_image_ * dst.n);
    columns_ = buffers.make_scratch(static_cast<std::size_t>(threads) *
                                    static_cast<std::size_t>(columns_stride()));
    if (!p_.d_dst) return;

    const std::ptrdiff_t weights = static_cast<std::ptrdiff_t>(depth_) * dst.c;
    partial_stride_ = weights + dst.c;  // weight, then bias
    partials_ =
        buffers.make(static_cast<std::size_t>(groups_) * static_cast<std::size_t>(partial_stride_));
    if (p_.d_src) transposed_ = buffers.make_scratch(static_cast<std::size_t>(weights));
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer}, {}};
    if (gathers_) u.forward.push_back(columns_);
    if (!p_.d_dst) return u;
    u.backward = {p_.src.buffer, p_.d_dst.buffer, partials_};
    if (gathers_ || in_place_) u.backward.push_back(columns_);
    if (p_.d_src) u.backward.insert(u.backward.end(), {p_.d_src.place.buffer, transposed_});
    return u;
  }

  StepFacts facts() const override {
    const std::uint64_t macs = p_.dst.shape.count() * static_cast<std::uint64_t>(depth_);
    const bool learns = p_.d_dst && (p_.weight.grad || p_.bias.grad);
    return {gathers_ ? "gathered" : "direct", macs * (1u + learns + static_cast<bool>(p_.d_src))};
  }

  void forward(const Pass& pass) override {
    const View dst = p_.dst.view();
    pass.pool->run(strip_count(), [&](int index, int thread) {
      const Strip s = strip(index);
      gemm({.m = s.pixels,
            .n = dst.c,
            .k = depth_,
            .a_row = column_row(),
            .b_row = dst.c,
            .c_row = dst.ld,
            .bias = p_.bias.value},
           gather(s, thread), p_.weight.value, dst.row(s.dst_row));
    });
  }

  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    if (p_.d_src)
      transpose_all(pass, p_.weight.value, 1, depth_, p_.dst.shape.c, transposed_->data);
    backward_strips(pass);
    if (p_.d_src && !pointwise_) backward_source(pass);
  }

 private:
  struct Strip {
    int image, y0, rows;  ///< destination rows of one image
    int dst_row;          ///< the first of them, counted over all images
    int pixels;
  };

  /// Strips are whole destination rows. Enough of them that strips which are not neighbours touch
  /// different source rows (see backward_source), about a cache's worth of columns otherwise.
  void cut_strips(const Shape& dst) {
    constexpr int kPixels = 256;
    const int apart = (p_.op.kernel - 1) / p_.op.stride;  // (rows + 1) * stride > kernel - 1
    strip_rows_ = std::clamp(std::max(kPixels / dst.w, apart), 1, dst.h);
    strips_per_image_ = (dst.h + strip_rows_ - 1) / strip_rows_;
  }
  int strip_count() const { return p_.dst.shape.n * strips_per_image_; }
  Strip strip(int index) const {
    const int image = index / strips_per_image_, at = index % strips_per_image_;
    const int y0 = at * strip_rows_, rows = std::min(strip_rows_, p_.dst.shape.h - y0);
    return {image, y0, rows, image * p_.dst.shape.h + y0, rows * p_.dst.shape.w};
  }
  std::ptrdiff_t columns_stride() const {
    return static_cast<std::ptrdiff_t>(strip_rows_) * p_.dst.shape.w * depth_;
  }
  float* columns(int thread) const { return columns_->data + thread * columns_stride(); }
  /// Distance of two pixels in what gather() returns.
  std::ptrdiff_t column_row() const { return gathers_ ? depth_ : p_.src.ld; }

  /// Calls body(column, source pixel or -1) for each destination pixel of the strip and each tap.
  template <class Body>
  void for_taps(const Strip& s, const Body& body) const {
    const Shape& src = p_.src.shape;
    const int k = p_.op.kernel, pad = pad_begin(p_.op);
    std::ptrdiff_t column = 0;
    for (int y = s.y0; y < s.y0 + s.rows; ++y)
      for (int x = 0; x < p_.dst.shape.w; ++x)
        for (int ky = 0; ky < k; ++ky) {
          const int sy = border_index(p_.op.border, y * p_.op.stride + ky - pad, src.h);
          for (int kx = 0; kx < k; ++kx, column += src.c) {
            const int sx = border_index(p_.op.border, x * p_.op.stride + kx - pad, src.w);
            body(column, sy < 0 || sx < 0
                             ? -1
                             : (static_cast<std::ptrdiff_t>(s.image) * src.h + sy) * src.w + sx);
          }
        }
  }

  /// The rows of the left factor: [pixels of the strip][tap][in_c].
  const float* gather(const Strip& s, int thread) const {
    const View src = p_.src.view();
    if (!gathers_) return src.row(s.dst_row);
    float* to = columns(thread);
    const PixelMap map = pixel_map(p_.norm, p_.act, s.image, src.c);
    if (pointwise_) {
      norm_act(map.act, src.row(s.dst_row), src.ld, to, src.c, s.pixels, src.c, map.scale,
               map.shift);
      return to;
    }
    const std::size_t bytes = static_cast<std::size_t>(src.c) * sizeof(float);
    for_taps(s, [&](std::ptrdiff_t column, std::ptrdiff_t pixel) {
      if (pixel < 0)
        std::memset(to + column, 0, bytes);
      else if (map.scale)
        norm_act(map.act, src.pixel(pixel), src.ld, to + column, src.c, 1, src.c, map.scale,
                 map.shift);
      else
        std::memcpy(to + column, src.pixel(pixel), bytes);
    });
    return to;
  }

  /// The weights' gradient, group by group; for 1x1 kernels the source's from the same strip of
  /// d_dst, whose place it may take.
  void backward_strips(const Pass& pass) {
    const std::ptrdiff_t weights = static_cast<std::ptrdiff_t>(depth_) * p_.dst.shape.c;
    const bool source = p_.d_src && pointwise_;
    if (!p_.weight.grad && !p_.bias.grad && !source) return;
    pass.pool->run(groups_, [&](int group, int thread) {
      float* partial = partials_->data + group * partial_stride_;
      std::fill_n(partial + weights, p_.dst.shape.c, 0.f);
      const Range range = part(strip_count(), groups_, group);
      for (int index = range.begin; index < range.end; ++index) {
        const Strip s = strip(index);
        if (p_.weight.grad) multiply_weights(s, thread, index > range.begin, partial);
        if (p_.bias.grad) sum_strip(s, partial + weights);
        if (source) backward_pixels(s, thread);
      }
    });
    for (int group = 0; group < groups_; ++group) {
      const float* partial = partials_->data + group * partial_stride_;
      if (p_.weight.grad)
        scale_add(p_.weight.grad, partial, 1.f, static_cast<std::size_t>(weights), group > 0);
      if (p_.bias.grad)
        scale_add(p_.bias.grad, partial + weights, 1.f, static_cast<std::size_t>(p_.dst.shape.c),
                  group > 0);
    }
  }

  void multiply_weights(const Strip& s, int thread, bool accumulate, float* sum) const {
    const View d_dst = p_.d_dst.view();
    gemm({.m = depth_,
          .n = d_dst.c,
          .k = s.pixels,
          .a_row = 1,
          .a_col = column_row(),
          .b_row = d_dst.ld,
          .c_row = d_dst.c,
          .accumulate = accumulate},
         gather(s, thread), d_dst.row(s.dst_row), sum);
  }
  void sum_strip(const Strip& s, float* sum) const {
    const View d_dst = p_.d_dst.view();
    sum_pixels(d_dst.row(s.dst_row), d_dst.ld, s.pixels, d_dst.c, sum);
  }

  /// d_dst of the strip times the turned weights: rows of depth_ numbers, `row` apart.
  void multiply_back(const Strip& s, float* to, std::ptrdiff_t row, bool accumulate) const {
    const View d_dst = p_.d_dst.view();
    gemm({.m = s.pixels,
          .n = depth_,
          .k = d_dst.c,
          .a_row = d_dst.ld,
          .b_row = depth_,
          .c_row = row,
          .accumulate = accumulate},
         d_dst.row(s.dst_row), transposed_->data, to);
  }

  void backward_pixels(const Strip& s, int thread) const {
    const View d_src = p_.d_src.place.view();
    float* to = d_src.row(s.dst_row);
    if (!in_place_) return multiply_back(s, to, d_src.ld, p_.d_src.accumulate);
    const float* from = columns(thread);
    multiply_back(s, columns(thread), depth_, false);
    for (int i = 0; i < s.pixels; ++i) std::copy_n(from + i * depth_, depth_, to + i * d_src.ld);
  }

  /// Columns of gradients, added back onto the pixels they were gathered from. Neighbouring strips
  /// share source rows, so first all even strips run in parallel, then all odd ones.
  void backward_source(const Pass& pass) {
    const View d_src = p_.d_src.place.view();
    if (!p_.d_src.accumulate)
      pass.pool->run(d_src.rows(), [&](int row, int) {
        for (int x = 0; x < d_src.w; ++x) std::fill_n(d_src.row(row) + x * d_src.ld, d_src.c, 0.f);
      });
    for (int parity = 0; parity < 2; ++parity) {
      const int half = (strips_per_image_ + 1 - parity) / 2;
      pass.pool->run(d_src.n * half, [&](int chunk, int thread) {
        const Strip s = strip(chunk / std::max(half, 1) * strips_per_image_ +
                              chunk % std::max(half, 1) * 2 + parity);
        float* from = columns(thread);
        multiply_back(s, from, depth_, false);
        for_taps(s, [&](std::ptrdiff_t column, std::ptrdiff_t pixel) {
          if (pixel >= 0)
            scale_add(d_src.pixel(pixel), from + column, 1.f, static_cast<std::size_t>(d_src.c),
                      true);
        });
      });
    }
  }

  ConvPlaces p_;
  int taps_ = 0, depth_ = 0;  ///< depth: taps * in_c, the inner length of the product
  bool pointwise_ = false;    ///< 1x1, stride 1
  bool gathers_ = true;       ///< else the source itself is the left factor
  bool in_place_ = false;     ///< the source's gradient takes the place of the one behind
  int strip_rows_ = 1, strips_per_image_ = 1, groups_ = 1;
  std::ptrdiff_t partial_stride_ = 0;
  Buffer *columns_ = nullptr, *partials_ = nullptr, *transposed_ = nullptr;
};

}  // namespace

void transpose_all(const Pass& pass, const float* src, int count, int rows, int cols, float* dst) {
  constexpr int kColumns = 16;  // per chunk
  const int chunks = (cols + kColumns - 1) / kColumns;
  pass.pool->run(count * chunks, [&](int chunk, int) {
    const std::ptrdiff_t matrix = static_cast<std::ptrdiff_t>(chunk / chunks) * rows * cols;
    const int first = chunk % chunks * kColumns;
    transpose(src + matrix + first, cols, rows, std::min(kColumns, cols - first),
              dst + matrix + static_cast<std::ptrdiff_t>(first) * rows);
  });
}

std::unique_ptr<Step> make_gemm_conv(const ConvPlaces& places, Buffers& buffers, int threads) {
  return std::make_unique<GemmConv>(places, buffers, threads);
}

std::unique_ptr<Step> make_conv(const ConvPlaces& places, Buffers& buffers, int threads) {
  // Below these sizes the transforms cost more than the multiplications they save.
  constexpr int kLeastChannels = 16, kLeastSide = 4;
  const Shape& src = places.src.shape;
  const Shape& dst = places.dst.shape;
  const double direct = 9.0 * dst.n * dst.h * dst.w;
  const bool winograd = places.op.kernel == 3 && places.op.stride == 1 && !places.op.pad_end &&
                        src.c >= kLeastChannels && places.op.out_c >= kLeastChannels &&
                        src.h >= kLeastSide && src.w >= kLeastSide && winograd_cost(dst) < direct;
  return winograd ? make_winograd_conv(places, buffers, threads)
                  : make_gemm_conv(places, buffers, threads);
}

}  // namespace unmar::cpu
