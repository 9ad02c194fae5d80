#include <fmt/format.h>

#include <algorithm>

#include "engine/cpu/conv.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/range.h"

namespace unmar::cpu {
namespace {

/// Tiles of side x side outputs over a domain of h x w whose first row and column are `first`.
struct Tiling {
  int side, n, h, w, first;
  int rows() const { return (h + side - 1) / side; }
  int cols() const { return (w + side - 1) / side; }
  int points() const { return (side + 2) * (side + 2); }
  int count() const { return n * rows() * cols(); }
  struct Tile {
    int image, y, x;  ///< of its first output
  };
  Tile tile(int index) const {
    const int per_image = rows() * cols(), at = index % per_image;
    return {index / per_image, at / cols() * side + first, at % cols() * side + first};
  }
};

/// Multiplications per pair of channels. Transforming the weights costs as much as some tiles: 8 to
/// 32 of them gave the same times for the standard network from 64x64 to 256x256, none and 64 up to
/// 3 % and 10 % longer ones.
double cost(const Tiling& t) {
  constexpr int kWeightTiles = 16;
  return static_cast<double>(t.count() + kWeightTiles) * t.points();
}
/// The cheaper tile: large ones reach farther over the edge and have more weights to transform.
Tiling best_tiling(int n, int h, int w, int first) {
  const Tiling four{4, n, h, w, first}, six{kMostTile, n, h, w, first};
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
    weight_stride_ = static_cast<std::ptrdiff_t>(in_c_) * out_c_;
    const int most_points = std::max(tiling_.points(), d_tiling_.points());
    weights_ = buffers.make_scratch(static_cast<std::size_t>(most_points * weight_stride_));

    strip_floats_ =
        std::max(floats_of(tiling_, strip_of(tiling_)), floats_of(d_tiling_, strip_of(d_tiling_)));
    std::ptrdiff_t scratch = threads * strip_floats_;
    if (p_.d_dst)
      scratch = std::max(scratch, floats_of(tiling_, std::min(kWeightStrip, tiling_.count())));
    scratch_ = buffers.make_scratch(static_cast<std::size_t>(scratch));

    if (!p_.d_dst) return;
    sums_ = buffers.make_scratch(static_cast<std::size_t>(tiling_.points() * weight_stride_));
    if (!p_.d_src) return;
    transposed_ = buffers.make_scratch(static_cast<std::size_t>(9 * weight_stride_));
    ring_ = buffers.make_scratch(static_cast<std::size_t>(src.n) * ring_pixels() *
                                 static_cast<std::size_t>(in_c_));
  }

  Uses uses() override {
    Uses u{{p_.src.buffer, p_.dst.buffer, scratch_, weights_}, {}};
    if (!p_.d_dst) return u;
    u.backward = {p_.src.buffer, p_.d_dst.buffer, scratch_, sums_};
    if (p_.d_src)
      u.backward.insert(u.backward.end(), {p_.d_src.place.buffer, weights_, transposed_, ring_});
    return u;
  }

  StepFacts facts() const override {
    const auto macs = [&](const Tiling& t) {
      return static_cast<std::uint64_t>(t.count()) * static_cast<std::uint64_t>(t.points()) *
             static_cast<std::uint64_t>(weight_stride_);
    };
    const bool learns = p_.weight.grad || p_.bias.grad;
    return {fmt::format("winograd {0}x{0}", tiling_.side),
            macs(tiling_) * (p_.d_dst && learns ? 2 : 1) + (p_.d_src ? macs(d_tiling_) : 0)};
  }

  void forward(const Pass& pass) override {
    transform_weights(pass, tiling_, p_.weight.value, false);
    const View src = p_.src.view(), dst = p_.dst.view();
    for_strips(pass, tiling_, [&](Range tiles, int thread) {
      const Points p = points(tiling_, tiles.size(), thread);
      for (int t = tiles.begin; t < tiles.end; ++t)
        read_source(src, tiling_.tile(t), p.in + (t - tiles.begin) * in_c_, p.in_stride);
      multiply(tiling_, tiles.size(), {p.in, p.in_stride, in_c_}, {p.out, p.out_stride, out_c_});
      for (int t = tiles.begin; t < tiles.end; ++t) {
        float* table[kMostTile * kMostTile];
        const auto pixels = output_pixels<float>(dst, tiling_.tile(t), table);
        winograd_output(tiling_.side, p.out + (t - tiles.begin) * out_c_, p.out_stride, out_c_,
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
  /// The transformed tiles of a strip on the source's and on the destination's side: a matrix
  /// [tiles][channels] per point each, `stride` apart.
  struct Points {
    float *in, *out;
    std::ptrdiff_t in_stride, out_stride;
  };
  /// An odd number of cache lines, so that the points of a tile do not fall into the same few sets
  /// of the first-level cache.
  static std::ptrdiff_t point_stride(int tiles, int c) {
    constexpr std::ptrdiff_t kLine = 16;
    return ((static_cast<std::ptrdiff_t>(tiles) * c + kLine - 1) / kLine | 1) * kLine;
  }
  std::ptrdiff_t floats_of(const Tiling& t, int tiles) const {
    return t.points() * (point_stride(tiles, in_c_) + point_stride(tiles, out_c_));
  }
  Points points(const Tiling& t, int tiles, int thread) const {
    const std::ptrdiff_t in_stride = point_stride(tiles, in_c_);
    float* in = scratch_->data + thread * strip_floats_;
    return {in, in + t.points() * in_stride, in_stride, point_stride(tiles, out_c_)};
  }

  /// One side of a strip: a matrix [tiles][channels] per point.
  struct Side {
    float* data;
    std::ptrdiff_t stride;
    int channels;
  };
  /// to = from times the transformed weights, point by point.
  void multiply(const Tiling& t, int tiles, const Side& from, const Side& to) const {
    for (int point = 0; point < t.points(); ++point)
      gemm({.m = tiles,
            .n = to.channels,
            .k = from.channels,
            .a_row = from.channels,
            .b_row = to.channels,
            .c_row = to.channels},
           from.data + point * from.stride, weights_->data + point * weight_stride_,
           to.data + point * to.stride);
  }

  /// Tiles whose points, of both sides, stay in the second-level cache while they are transformed,
  /// multiplied and transformed back; in whole tiles of the product, and some strips per thread.
  int strip_of(const Tiling& t) const {
    constexpr int kCacheFloats = 1 << 18, kStrips = 4;
    const int rows = gemm_rows();
    if (t.count() < 2 * rows) return (t.count() + 1) / 2;
    const int cached = kCacheFloats / (t.points() * (in_c_ + out_c_));
    return std::clamp(std::min(cached, t.count() / kStrips) / rows, 1, 7) * rows;
  }
  /// Tiles whose products the weights' gradient is summed over at a time. The sums, one matrix per
  /// point, do not fit a cache, so that fewer tiles would cost more.
  static constexpr int kWeightStrip = 112;

  template <class Body>
  void for_strips(const Pass& pass, const Tiling& tiling, const Body& body) const {
    const int strip = strip_of(tiling), count = tiling.count();
    pass.pool->run((count + strip - 1) / strip, [&](int index, int thread) {
      body(Range{index * strip, std::min(count, (index + 1) * strip)}, thread);
    });
  }

  /// Calls body(first kernel, kernels) for chunks of kernels that are worth a thread's while.
  template <class Body>
  void for_kernels(const Pass& pass, const Body& body) const {
    constexpr int kKernelsPerChunk = 1024;
    const int count = in_c_ * out_c_, chunks = std::max(1, count / kKernelsPerChunk);
    pass.pool->run(chunks, [&](int chunk, int) { body(part(count, chunks, chunk)); });
  }

  void transform_weights(const Pass& pass, const Tiling& tiling, const float* taps, bool flip) {
    for_kernels(pass, [&](Range r) {
      winograd_weights(tiling.side, taps + r.begin, weight_stride_,
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
    const int input = side + 2;
    if (inside(v, tile.y - 1, tile.x - 1, input))
      return winograd_input(side, grid<const float>(v, tile.image, tile.y - 1, tile.x - 1), map,
                            v.c, dst, stride);
    const float* pixels[kMostTileInput * kMostTileInput];
    int cols[kMostTileInput];
    for (int i = 0; i < input; ++i) cols[i] = column(border, tile.x - 1 + i, v.w);
    for (int i = 0; i < input; ++i) {
      const int y = column(border, tile.y - 1 + i, v.h);
      const float* row = y < 0 ? nullptr : v.row(tile.image * v.h + y);
      for (int j = 0; j < input; ++j)
        pixels[i * input + j] = row && cols[j] >= 0 ? row + cols[j] * v.ld : nullptr;
    }
    winograd_input(side, {.table = pixels}, map, v.c, dst, stride);
  }
  /// border_index, but tiles at the lower right edge also reach beyond the border: zeros, as
  /// nothing reads the result.
  static int column(Border border, int i, int size) {
    return i > size ? -1 : border_index(border, i, size);
  }

  static bool inside(const View& v, int y, int x, int side) {
    return y >= 0 && x >= 0 && y + side <= v.h && x + side <= v.w;
  }
  template <class T>
  static TilePixels<T> grid(const View& v, int image, int y, int x) {
    return {.first = v.row(image * v.h + y) + x * v.ld, .row = v.w * v.ld, .col = v.ld};
  }

  /// The pixels of a tile of the destination; those beyond it are nullptr. `table` is used if
  /// needed.
  template <class T>
  TilePixels<T> output_pixels(const View& v, const Tiling::Tile& tile, T** table) const {
    if (inside(v, tile.y, tile.x, tiling_.side)) return grid<T>(v, tile.image, tile.y, tile.x);
    for (int i = 0; i < tiling_.side; ++i)
      for (int j = 0; j < tiling_.side; ++j) {
        const int y = tile.y + i, x = tile.x + j;
        table[i * tiling_.side + j] =
            y < v.h && x < v.w ? v.row(tile.image * v.h + y) + x * v.ld : nullptr;
      }
    return {.table = table};
  }

  /// Strip by strip: first all threads transform its tiles, then they share out the points. So each
  /// sum is one thread's at a time, in the order of the tiles.
  void backward_weights(const Pass& pass) {
    constexpr int kTilesPerChunk = 4;
    const View src = p_.src.view(), d_dst = p_.d_dst.view();
    for (int first = 0; first < tiling_.count(); first += kWeightStrip) {
      const int tiles = std::min(kWeightStrip, tiling_.count() - first);
      const Points p = points(tiling_, tiles, 0);
      const int chunks = (tiles + kTilesPerChunk - 1) / kTilesPerChunk;
      pass.pool->run(chunks, [&](int chunk, int) {
        const Range r = part(tiles, chunks, chunk);
        for (int t = r.begin; t < r.end; ++t) {
          const Tiling::Tile tile = tiling_.tile(first + t);
          read_source(src, tile, p.in + t * in_c_, p.in_stride);
          const float* table[kMostTile * kMostTile];
          const auto pixels = output_pixels<const float>(d_dst, tile, table);
          winograd_output_adjoint(tiling_.side, pixels, out_c_, p.out + t * out_c_, p.out_stride);
        }
      });
      pass.pool->run(tiling_.points(), [&](int point, int) {
        const float* out = p.out + point * p.out_stride;
        gemm({.m = in_c_,
              .n = out_c_,
              .k = tiles,
              .a_row = 1,
              .a_col = in_c_,
              .b_row = out_c_,
              .c_row = out_c_,
              .accumulate = first > 0},
             p.in + point * p.in_stride, out, sums_->data + point * weight_stride_);
        if (p_.bias.grad && point == sum_point(tiling_.side)) sum_bias(out, tiles, first > 0);
      });
    }
    if (!p_.weight.grad) return;
    for_kernels(pass, [&](Range r) {
      winograd_weights_adjoint(tiling_.side, sums_->data + r.begin, weight_stride_,
                               static_cast<std::size_t>(r.size()), p_.weight.grad + r.begin,
                               weight_stride_);
    });
  }

  /// The point at 1, 1 of the adjoint is the plain sum of the tile's pixels.
  static int sum_point(int side) { return (side + 2) + 1; }
  void sum_bias(const float* out, int tiles, bool accumulate) const {
    if (!accumulate) std::fill_n(p_.bias.grad, out_c_, 0.f);
    sum_pixels(out, out_c_, tiles, out_c_, p_.bias.grad);
  }

  /// The convolution of d_dst, zeros around it, with the turned kernels.
  void backward_source(const Pass& pass) {
    transpose_all(pass, p_.weight.value, 9, in_c_, out_c_, transposed_->data);
    transform_weights(pass, d_tiling_, transposed_->data, true);
    const View d_dst = p_.d_dst.view(), d_src = p_.d_src.place.view();
    const bool add = p_.d_src.accumulate;
    if (ring())
      std::fill_n(
          ring_->data,
          static_cast<std::size_t>(d_src.n) * ring_pixels() * static_cast<std::size_t>(in_c_), 0.f);
    for_strips(pass, d_tiling_, [&](Range tiles, int thread) {
      const Points p = points(d_tiling_, tiles.size(), thread);
      for (int t = tiles.begin; t < tiles.end; ++t)
        read_tile(d_dst, d_tiling_.side, d_tiling_.tile(t), Border::zero, {},
                  p.out + (t - tiles.begin) * out_c_, p.out_stride);
      multiply(d_tiling_, tiles.size(), {p.out, p.out_stride, out_c_}, {p.in, p.in_stride, in_c_});
      for (int t = tiles.begin; t < tiles.end; ++t) {
        float* table[kMostTile * kMostTile];
        const auto pixels = source_pixels(d_src, d_tiling_.tile(t), table);
        winograd_output(d_tiling_.side, p.in + (t - tiles.begin) * in_c_, p.in_stride, in_c_,
                        nullptr, pixels, add);
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
  TilePixels<float> source_pixels(const View& v, const Tiling::Tile& tile, float** table) const {
    const int margin = ring() ? 1 : 0;
    const int side = d_tiling_.side;
    if (inside(v, tile.y, tile.x, side)) return grid<float>(v, tile.image, tile.y, tile.x);
    for (int i = 0; i < side; ++i)
      for (int j = 0; j < side; ++j) {
        const int y = tile.y + i, x = tile.x + j;
        float*& pixel = table[i * side + j];
        if (y >= v.h + margin || x >= v.w + margin)
          pixel = nullptr;
        else if (y < 0 || y >= v.h || x < 0 || x >= v.w)
          pixel = ring_pixel(tile.image, y, x);
        else
          pixel = v.row(tile.image * v.h + y) + x * v.ld;
      }
    return {.table = table};
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
  int in_c_ = 0, out_c_ = 0;
  Tiling tiling_{}, d_tiling_{};  ///< of the destination, and of the source's gradient
  std::ptrdiff_t weight_stride_ = 0, strip_floats_ = 0;
  Buffer *scratch_ = nullptr, *weights_ = nullptr, *transposed_ = nullptr, *ring_ = nullptr;
  Buffer* sums_ = nullptr;  ///< the weights' gradient, transformed
};

}  // namespace

double winograd_cost(const Shape& dst) { return cost(best_tiling(dst.n, dst.h, dst.w, 0)); }

std::unique_ptr<Step> make_winograd_conv(const ConvPlaces& places, Buffers& buffers, int threads) {
  return std::make_unique<WinogradConv>(places, buffers, threads);
}

}  // namespace unmar::cpu
