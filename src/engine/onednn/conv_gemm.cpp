#include <algorithm>
#include <cstring>
#include <optional>

#include "engine/onednn/conv.h"
#include "engine/onednn/kernels.h"
#include "engine/onednn/matmul.h"
#include "engine/onednn/range.h"

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

    cut_strips(dst);
    const int full = strip_rows_ * dst.w;
    const int tail = (dst.h - (strips_per_image_ - 1) * strip_rows_) * dst.w;
    groups_ = std::min(kWeightGroups, strips_per_image_ * dst.n);

    gathers_ = !pointwise_ || p_.norm;
    const std::ptrdiff_t a_row = gathers_ ? depth_ : p_.src.ld;
    forward_.emplace(
        MatMulSpec{.n = dst.c, .k = depth_, .a_row = a_row, .b_row = dst.c, .c_row = p_.dst.ld},
        &MatMulSpec::m, full, tail, threads);
    columns_ =
        buffers.make_scratch(static_cast<std::size_t>(threads) * static_cast<std::size_t>(full) *
                             static_cast<std::size_t>(depth_));
    if (!p_.d_dst) return;

    d_weight_.emplace(MatMulSpec{.m = depth_,
                                 .n = dst.c,
                                 .a_row = 1,
                                 .a_col = a_row,
                                 .b_row = p_.d_dst.ld,
                                 .c_row = dst.c,
                                 .accumulate = true},
                      &MatMulSpec::k, full, tail, threads);
    partial_stride_ = static_cast<std::ptrdiff_t>(depth_ + 1) * dst.c;  // weight, then bias
    partials_ =
        buffers.make(static_cast<std::size_t>(groups_) * static_cast<std::size_t>(partial_stride_));
    if (!p_.d_src) return;
    const bool add = pointwise_ && p_.d_src.accumulate;
    d_src_.emplace(MatMulSpec{.n = depth_,
                              .k = dst.c,
                              .a_row = p_.d_dst.ld,
                              .b_row = 1,
                              .b_col = dst.c,
                              .c_row = pointwise_ ? p_.d_src.place.ld : depth_,
                              .accumulate = add},
                   &MatMulSpec::m, full, tail, threads);
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer}, {}};
    if (gathers_) u.forward.push_back(columns_);
    if (!p_.d_dst) return u;
    u.backward = {p_.src.buffer, p_.d_dst.buffer, partials_};
    if (gathers_) u.backward.push_back(columns_);
    if (p_.d_src) u.backward.push_back(p_.d_src.place.buffer);
    return u;
  }

  void forward(const Pass& pass) override {
    const View dst = p_.dst.view();
    pass.pool->run(strip_count(), [&](int index, int thread) {
      const Strip s = strip(index);
      float* out = dst.row(s.dst_row);
      forward_->run(s.pixels, gather(s, thread), p_.weight.value, out, thread);
      if (p_.bias.value) add_to_pixels(out, dst.ld, s.pixels, dst.c, p_.bias.value);
    });
  }

  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    if (p_.weight.grad || p_.bias.grad) backward_weights(pass);
    if (!p_.d_src) return;
    if (pointwise_) {
      const View d_src = p_.d_src.place.view(), d_dst = p_.d_dst.view();
      pass.pool->run(strip_count(), [&](int index, int thread) {
        const Strip s = strip(index);
        d_src_->run(s.pixels, d_dst.row(s.dst_row), p_.weight.value, d_src.row(s.dst_row), thread);
      });
    } else {
      backward_source(pass);
    }
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
  float* columns(int thread) const {
    return columns_->data +
           static_cast<std::ptrdiff_t>(thread) * strip_rows_ * p_.dst.shape.w * depth_;
  }

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

  void backward_weights(const Pass& pass) {
    const View d_dst = p_.d_dst.view();
    const std::ptrdiff_t weights = static_cast<std::ptrdiff_t>(depth_) * d_dst.c;
    pass.pool->run(groups_, [&](int group, int thread) {
      float* partial = partials_->data + group * partial_stride_;
      std::fill_n(partial, partial_stride_, 0.f);
      const Range range = part(strip_count(), groups_, group);
      for (int index = range.begin; index < range.end; ++index) {
        const Strip s = strip(index);
        const float* grad = d_dst.row(s.dst_row);
        d_weight_->run(s.pixels, gather(s, thread), grad, partial, thread);
        if (p_.bias.grad) sum_pixels(grad, d_dst.ld, s.pixels, d_dst.c, partial + weights);
      }
    });
    for (int group = 0; group < groups_; ++group) {
      const float* partial = partials_->data + group * partial_stride_;
      if (p_.weight.grad)
        scale_add(p_.weight.grad, partial, 1.f, static_cast<std::size_t>(weights), group > 0);
      if (p_.bias.grad)
        scale_add(p_.bias.grad, partial + weights, 1.f, static_cast<std::size_t>(d_dst.c),
                  group > 0);
    }
  }

  /// Columns of gradients, added back onto the pixels they were gathered from. Neighbouring strips
  /// share source rows, so first all even strips run in parallel, then all odd ones.
  void backward_source(const Pass& pass) {
    const View d_src = p_.d_src.place.view(), d_dst = p_.d_dst.view();
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
        d_src_->run(s.pixels, d_dst.row(s.dst_row), p_.weight.value, from, thread);
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
  int strip_rows_ = 1, strips_per_image_ = 1, groups_ = 1;
  std::ptrdiff_t partial_stride_ = 0;
  std::optional<PieceMatMul> forward_, d_weight_, d_src_;
  Buffer *columns_ = nullptr, *partials_ = nullptr;
};

}  // namespace

std::unique_ptr<Step> make_gemm_conv(const ConvPlaces& places, Buffers& buffers, int threads) {
  return std::make_unique<GemmConv>(places, buffers, threads);
}

std::unique_ptr<Step> make_conv(const ConvPlaces& places, Buffers& buffers, int threads) {
  // Below these sizes the transforms cost more than the multiplications they save.
  constexpr int kLeastChannels = 16, kLeastSide = 4;
  const Shape& src = places.src.shape;
  const bool winograd = places.op.kernel == 3 && places.op.stride == 1 && !places.op.pad_end &&
                        src.c >= kLeastChannels && places.op.out_c >= kLeastChannels &&
                        src.h >= kLeastSide && src.w >= kLeastSide;
  return winograd ? make_winograd_conv(places, buffers, threads)
                  : make_gemm_conv(places, buffers, threads);
}

}  // namespace unmar::cpu
