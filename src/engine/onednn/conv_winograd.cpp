#include <algorithm>
#include <optional>

#include "engine/onednn/conv.h"
#include "engine/onednn/kernels.h"
#include "engine/onednn/matmul.h"
#include "engine/onednn/range.h"

namespace unmar::cpu {
namespace {

/// Tiles of side x side outputs over a domain of h x w whose first row and column are `first`,
/// taken `strip` tiles at a time.
struct Tiling {
  int side, n, h, w, first, strip = 0;
  int rows() const { return (h + side - 1) / side; }
  int cols() const { return (w + side - 1) / side; }
  int points() const { return (side + 2) * (side + 2); }
  int count() const { return n * rows() * cols(); }
  int strips() const { return (count() + strip - 1) / strip; }
  int piece() const { return std::min(count(), strip); }
  int last_piece() const { return count() - (strips() - 1) * strip; }
  Range tiles_of(int index) const {
    return {index * strip, std::min(count(), (index + 1) * strip)};
  }
  Tiling with_strip(int tiles) const {
    Tiling t = *this;
    t.strip = tiles;
    return t;
  }
  struct Tile {
    int image, y, x;  ///< of its first output
  };
  Tile tile(int index) const {
    const int per_image = rows() * cols(), at = index % per_image;
    return {index / per_image, at / cols() * side + first, at % cols() * side + first};
  }
};

/// The tile with fewer multiplications: large ones reach farther over the edge.
Tiling best_tiling(int n, int h, int w, int first) {
  const Tiling four{4, n, h, w, first}, six{kMostTile, n, h, w, first};
  const auto cost = [](const Tiling& t) { return t.count() * t.points(); };
  return cost(six) < cost(four) ? six : four;
}

class WinogradConv : public Step {
 public:
  WinogradConv(const ConvPlaces& places, Buffers& buffers, int threads) : p_(places) {
    const Shape& src = p_.src.shape;
    const Shape& dst = p_.dst.shape;
    in_c_ = src.c;
    out_c_ = dst.c;
    tiling_ = best_tiling(dst.n, dst.h, dst.w, 0);
    // Through a reflecting border the source's gradient first covers a ring of one pixel around it.
    const int ring = p_.op.border == Border::reflect ? 1 : 0;
    d_tiling_ = best_tiling(src.n, src.h + 2 * ring, src.w + 2 * ring, -ring);
    tiling_.strip = cached_strip(tiling_);
    d_tiling_.strip = cached_strip(d_tiling_);
    w_tiling_ = tiling_.with_strip(std::max(tiling_.strip, kWeightStrip));
    const int most_points = std::max(tiling_.points(), d_tiling_.points());
    const int longest =
        std::max(w_tiling_.points() * w_tiling_.strip, d_tiling_.points() * d_tiling_.strip);

    weight_stride_ = static_cast<std::ptrdiff_t>(in_c_) * out_c_;
    scratch_stride_ = static_cast<std::ptrdiff_t>(longest) * (in_c_ + out_c_);
    scratch_ = buffers.make_scratch(static_cast<std::size_t>(threads) *
                                    static_cast<std::size_t>(scratch_stride_));
    weights_ = buffers.make_scratch(static_cast<std::size_t>(most_points * weight_stride_));

    forward_.emplace(MatMulSpec{.batch = tiling_.points(),
                                .n = out_c_,
                                .k = in_c_,
                                .a_row = in_c_,
                                .b_row = out_c_,
                                .c_row = out_c_},
                     &MatMulSpec::m, tiling_.piece(), tiling_.last_piece(), threads);
    if (!p_.d_dst) return;
    d_weight_.emplace(MatMulSpec{.batch = tiling_.points(),
                                 .m = in_c_,
                                 .n = out_c_,
                                 .a_row = 1,
                                 .a_col = in_c_,
                                 .b_row = out_c_,
                                 .c_row = out_c_,
                                 .accumulate = true},
                      &MatMulSpec::k, w_tiling_.piece(), w_tiling_.last_piece(), threads);
    groups_ = std::min(kWeightGroups, w_tiling_.strips());
    partial_stride_ = tiling_.points() * weight_stride_ + out_c_;  // weight, then bias
    partials_ =
        buffers.make(static_cast<std::size_t>(groups_) * static_cast<std::size_t>(partial_stride_));
    if (!p_.d_src) return;
    d_src_.emplace(MatMulSpec{.batch = d_tiling_.points(),
                              .n = in_c_,
                              .k = out_c_,
                              .a_row = out_c_,
                              .b_row = 1,
                              .b_col = out_c_,
                              .c_row = in_c_},
                   &MatMulSpec::m, d_tiling_.piece(), d_tiling_.last_piece(), threads);
    ring_ = buffers.make(static_cast<std::size_t>(src.n) * ring_pixels() *
                         static_cast<std::size_t>(in_c_));
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer, scratch_, weights_}, {}};
    if (!p_.d_dst) return u;
    u.backward = {p_.src.buffer, p_.d_dst.buffer, scratch_, partials_};
    if (p_.d_src) u.backward.insert(u.backward.end(), {p_.d_src.place.buffer, weights_, ring_});
    return u;
  }

  void forward(const Pass& pass) override {
    transform_weights(pass, tiling_, false);
    const View src = p_.src.view(), dst = p_.dst.view();
    for_strips(pass, tiling_, [&](Range tiles, int thread) {
      const auto [in, out, in_stride, out_stride] = scratch(tiling_, tiles, thread);
      for (int t = tiles.begin; t < tiles.end; ++t)
        read_source(src, tiling_.tile(t), in + (t - tiles.begin) * in_c_, in_stride);
      forward_->run(tiles.size(), in, weights_->data, out, thread);
      for (int t = tiles.begin; t < tiles.end; ++t) {
        const Tiling::Tile tile = tiling_.tile(t);
        float* pixels[kMostTile * kMostTile];
        output_pixels(dst, tile, pixels);
        winograd_output(tiling_.side, out + (t - tiles.begin) * out_c_, out_stride, out_c_,
                        p_.bias.value, pixels, false);
      }
    });
  }

  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    if (p_.weight.grad || p_.bias.grad) backward_weights(pass);
    if (p_.d_src) backward_source(pass);
  }

 private:
  /// Tiles whose points, of both sides, stay in the second-level cache while they are transformed,
  /// multiplied and transformed back. Odd, so that the vectors of a tile do not fall into the same
  /// few sets of the first-level cache.
  int cached_strip(const Tiling& t) const {
    constexpr int kCacheFloats = 1 << 18;
    return std::clamp(kCacheFloats / (t.points() * (in_c_ + out_c_)), 15, 95) | 1;
  }
  /// The weights' gradient is summed over strips, in matrices that do not stay in cache: longer
  /// ones.
  static constexpr int kWeightStrip = 63;

  /// The transformed tiles of one strip on the source's and on the destination's side: a matrix
  /// [tiles][channels] per point each.
  struct Transformed {
    float *in, *out;
    std::ptrdiff_t in_stride, out_stride;
  };
  Transformed scratch(const Tiling& tiling, Range tiles, int thread) const {
    float* in = scratch_->data + thread * scratch_stride_;
    const std::ptrdiff_t in_stride = static_cast<std::ptrdiff_t>(tiles.size()) * in_c_;
    const std::ptrdiff_t out_stride = static_cast<std::ptrdiff_t>(tiles.size()) * out_c_;
    return {in, in + tiling.points() * in_stride, in_stride, out_stride};
  }

  template <class Body>
  void for_strips(const Pass& pass, const Tiling& tiling, const Body& body) const {
    pass.pool->run(tiling.strips(),
                   [&](int index, int thread) { body(tiling.tiles_of(index), thread); });
  }

  /// Kernels are shared out in chunks that are worth a thread's while.
  int weight_chunks() const {
    constexpr int kKernelsPerChunk = 1024;
    return std::max(1, in_c_ * out_c_ / kKernelsPerChunk);
  }

  void transform_weights(const Pass& pass, const Tiling& tiling, bool flip) {
    const int count = in_c_ * out_c_;
    const int chunks = weight_chunks();
    pass.pool->run(chunks, [&](int chunk, int) {
      const Range r = part(count, chunks, chunk);
      winograd_weights(tiling.side, p_.weight.value + r.begin, count,
                       static_cast<std::size_t>(r.size()), flip, weights_->data + r.begin,
                       weight_stride_);
    });
  }

  void read_source(const View& src, const Tiling::Tile& tile, float* dst,
                   std::ptrdiff_t stride) const {
    read_tile(src, tiling_.side, tile, p_.op.border, pixel_map(p_.norm, p_.act, tile.image, in_c_),
              dst, stride);
  }
  /// Transforms the pixels that start one pixel above and left of the tile.
  static void read_tile(const View& v, int side, const Tiling::Tile& tile, Border border,
                        const PixelMap& map, float* dst, std::ptrdiff_t stride) {
    const float* pixels[kMostTileInput * kMostTileInput];
    int cols[kMostTileInput];
    const int input = side + 2;
    for (int i = 0; i < input; ++i) cols[i] = column(border, tile.x - 1 + i, v.w);
    for (int i = 0; i < input; ++i) {
      const int y = column(border, tile.y - 1 + i, v.h);
      const float* row = y < 0 ? nullptr : v.row(tile.image * v.h + y);
      for (int j = 0; j < input; ++j)
        pixels[i * input + j] = row && cols[j] >= 0 ? row + cols[j] * v.ld : nullptr;
    }
    winograd_input(side, pixels, map, v.c, dst, stride);
  }
  /// border_index, but tiles at the lower right edge also reach beyond the border: zeros, as
  /// nothing reads the result.
  static int column(Border border, int i, int size) {
    return i > size ? -1 : border_index(border, i, size);
  }

  void output_pixels(const View& v, const Tiling::Tile& tile, float** pixels) const {
    for (int i = 0; i < tiling_.side; ++i)
      for (int j = 0; j < tiling_.side; ++j) {
        const int y = tile.y + i, x = tile.x + j;
        pixels[i * tiling_.side + j] =
            y < v.h && x < v.w ? v.row(tile.image * v.h + y) + x * v.ld : nullptr;
      }
  }

  void backward_weights(const Pass& pass) {
    const View src = p_.src.view(), d_dst = p_.d_dst.view();
    const int all_strips = w_tiling_.strips();
    pass.pool->run(groups_, [&](int group, int thread) {
      float* partial = partials_->data + group * partial_stride_;
      float* bias = partial + tiling_.points() * weight_stride_;
      std::fill_n(partial, partial_stride_, 0.f);
      const Range range = part(all_strips, groups_, group);
      for (int strip = range.begin; strip < range.end; ++strip) {
        const Range tiles = w_tiling_.tiles_of(strip);
        const auto [in, out, in_stride, out_stride] = scratch(tiling_, tiles, thread);
        for (int t = tiles.begin; t < tiles.end; ++t) {
          const Tiling::Tile tile = tiling_.tile(t);
          read_source(src, tile, in + (t - tiles.begin) * in_c_, in_stride);
          float* pixels[kMostTile * kMostTile];
          output_pixels(d_dst, tile, pixels);
          winograd_output_adjoint(tiling_.side, pixels, out_c_, out + (t - tiles.begin) * out_c_,
                                  out_stride);
        }
        d_weight_->run(tiles.size(), in, out, partial, thread);
        if (p_.bias.grad) sum_tiles(d_dst, tiles, bias);
      }
    });
    if (p_.bias.grad)
      for (int group = 0; group < groups_; ++group)
        scale_add(p_.bias.grad,
                  partials_->data + group * partial_stride_ + tiling_.points() * weight_stride_,
                  1.f, static_cast<std::size_t>(out_c_), group > 0);

    if (!p_.weight.grad) return;
    const int count = in_c_ * out_c_;
    const int chunks = weight_chunks();
    pass.pool->run(chunks, [&](int chunk, int) {
      const Range r = part(count, chunks, chunk);
      float* sum = partials_->data + r.begin;  // the first group's becomes the sum
      for (int group = 1; group < groups_; ++group)
        for (int point = 0; point < tiling_.points(); ++point)
          scale_add(sum + point * weight_stride_,
                    sum + group * partial_stride_ + point * weight_stride_, 1.f,
                    static_cast<std::size_t>(r.size()), true);
      winograd_weights_adjoint(tiling_.side, sum, weight_stride_,
                               static_cast<std::size_t>(r.size()), p_.weight.grad + r.begin, count);
    });
  }

  void sum_tiles(const View& v, Range tiles, float* sum) const {
    for (int t = tiles.begin; t < tiles.end; ++t) {
      const Tiling::Tile tile = tiling_.tile(t);
      const int rows = std::min(tiling_.side, v.h - tile.y),
                cols = std::min(tiling_.side, v.w - tile.x);
      for (int i = 0; i < rows; ++i)
        sum_pixels(v.row(tile.image * v.h + tile.y + i) + tile.x * v.ld, v.ld, cols, v.c, sum);
    }
  }

  /// The convolution of d_dst, zeros around it, with the turned kernels.
  void backward_source(const Pass& pass) {
    transform_weights(pass, d_tiling_, true);
    const View d_dst = p_.d_dst.view(), d_src = p_.d_src.place.view();
    const bool add = p_.d_src.accumulate;
    if (ring())
      std::fill_n(
          ring_->data,
          static_cast<std::size_t>(d_src.n) * ring_pixels() * static_cast<std::size_t>(in_c_), 0.f);
    for_strips(pass, d_tiling_, [&](Range tiles, int thread) {
      const auto [in, out, in_stride, out_stride] = scratch(d_tiling_, tiles, thread);
      for (int t = tiles.begin; t < tiles.end; ++t)
        read_tile(d_dst, d_tiling_.side, d_tiling_.tile(t), Border::zero, {},
                  out + (t - tiles.begin) * out_c_, out_stride);
      d_src_->run(tiles.size(), out, weights_->data, in, thread);
      for (int t = tiles.begin; t < tiles.end; ++t) {
        float* pixels[kMostTile * kMostTile];
        source_pixels(d_src, d_tiling_.tile(t), pixels);
        winograd_output(d_tiling_.side, in + (t - tiles.begin) * in_c_, in_stride, in_c_, nullptr,
                        pixels, add);
      }
    });
    if (ring()) fold_ring(d_src);
  }

  bool ring() const { return p_.op.border == Border::reflect; }
  std::size_t ring_pixels() const {
    return ring() ? static_cast<std::size_t>(2 * (p_.src.shape.w + 2) + 2 * p_.src.shape.h) : 0;
  }
  /// The ring's pixel at y, x with y in {-1, h} or x in {-1, w}.
  float* ring_pixel(int image, int y, int x) const {
    const int h = p_.src.shape.h, w = p_.src.shape.w;
    int at = 0;
    if (y < 0)
      at = x + 1;
    else if (y == h)
      at = w + 2 + x + 1;
    else
      at = 2 * (w + 2) + (x < 0 ? 0 : h) + y;
    return ring_->data +
           (static_cast<std::size_t>(image) * ring_pixels() + static_cast<std::size_t>(at)) *
               static_cast<std::size_t>(in_c_);
  }
  void source_pixels(const View& v, const Tiling::Tile& tile, float** pixels) const {
    const int margin = ring() ? 1 : 0;
    const int side = d_tiling_.side;
    for (int i = 0; i < side; ++i)
      for (int j = 0; j < side; ++j) {
        const int y = tile.y + i, x = tile.x + j;
        float*& pixel = pixels[i * side + j];
        if (y >= v.h + margin || x >= v.w + margin)
          pixel = nullptr;
        else if (y < 0 || y >= v.h || x < 0 || x >= v.w)
          pixel = ring_pixel(tile.image, y, x);
        else
          pixel = v.row(tile.image * v.h + y) + x * v.ld;
      }
  }
  /// What reached the ring belongs to the pixels it mirrors.
  void fold_ring(const View& v) const {
    const auto fold = [&](int image, int y, int x) {
      const int sy = border_index(Border::reflect, y, v.h),
                sx = border_index(Border::reflect, x, v.w);
      scale_add(v.row(image * v.h + sy) + sx * v.ld, ring_pixel(image, y, x), 1.f,
                static_cast<std::size_t>(v.c), true);
    };
    for (int image = 0; image < v.n; ++image) {
      for (int x = -1; x <= v.w; ++x) {
        fold(image, -1, x);
        fold(image, v.h, x);
      }
      for (int y = 0; y < v.h; ++y) {
        fold(image, y, -1);
        fold(image, y, v.w);
      }
    }
  }

  ConvPlaces p_;
  int in_c_ = 0, out_c_ = 0, groups_ = 1;
  Tiling tiling_{}, w_tiling_{}, d_tiling_{};  ///< forward, weights' and source's gradient
  std::ptrdiff_t weight_stride_ = 0, scratch_stride_ = 0, partial_stride_ = 0;
  std::optional<PieceMatMul> forward_, d_weight_, d_src_;
  Buffer *scratch_ = nullptr, *weights_ = nullptr, *partials_ = nullptr, *ring_ = nullptr;
};

}  // namespace

std::unique_ptr<Step> make_winograd_conv(const ConvPlaces& places, Buffers& buffers, int threads) {
  return std::make_unique<WinogradConv>(places, buffers, threads);
}

}  // namespace unmar::cpu
