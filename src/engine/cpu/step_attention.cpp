#include <algorithm>
#include <cmath>

#include "engine/cpu/steps.h"
#include "engine/plan/layout.h"

namespace unmar::cpu {
namespace {

/// Blocks of rows of softmax(q k^T) that stay in cache, one after the other; none is kept. Backward
/// makes them again, which costs less than the memory would.
class AttentionStep : public Step {
 public:
  AttentionStep(const AttentionPlaces& places, Buffers& buffers, int threads) : p_(places) {
    const Shape& s = p_.dst.shape;
    pixels_ = s.h * s.w;
    channels_ = s.c / p_.heads;
    scale_ = 1.f / std::sqrt(static_cast<float>(channels_));
    rows_ = std::clamp(kBlockFloats / pixels_, 1, std::min(pixels_, kMostRows));
    blocks_ = (pixels_ + rows_ - 1) / rows_;
    block_ = buffers.make_scratch(size(threads) * size(rows_) * size(pixels_));
    keys_ = buffers.make_scratch(p_.k.shape.count());
    if (!p_.d_dst) return;
    d_block_ = buffers.make_scratch(size(threads) * size(rows_) * size(pixels_));
    values_ = buffers.make_scratch(p_.v.shape.count());
  }

  Uses uses() override {
    Uses u{{p_.q.buffer, p_.k.buffer, p_.v.buffer, p_.dst.buffer, block_, keys_}, {}};
    if (!p_.d_dst) return u;
    u.backward = {p_.q.buffer, p_.k.buffer, p_.v.buffer, p_.d_dst.buffer,
                  block_,      d_block_,    keys_,       values_};
    for (const GradPlace* g : {&p_.d_q, &p_.d_k, &p_.d_v})
      if (*g) u.backward.push_back(g->place.buffer);
    return u;
  }

  void forward(const Pass& pass) override {
    turn(pass, p_.k, keys_);
    pass.pool->run(heads() * blocks_, [&](int index, int thread) {
      const Block b = block(index / blocks_, index % blocks_);
      float* weights = find_weights(b, thread);
      multiply_block(b, weights, p_.v, at(p_.dst, b.head, b.row), p_.dst.ld, false);
    });
  }

  /// Heads in parallel; in each the blocks follow each other, so that sums have one order.
  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    // All of them first: they may be one place, which one of them clears and all add to.
    for (const GradPlace* g : {&p_.d_q, &p_.d_k, &p_.d_v})
      if (*g && !g->accumulate) clear(pass, g->place.view());
    turn(pass, p_.k, keys_);
    turn(pass, p_.v, values_);
    pass.pool->run(heads(), [&](int head, int thread) {
      for (int i = 0; i < blocks_; ++i) backward_block(block(head, i), thread);
    });
  }

 private:
  static constexpr int kBlockFloats = 1 << 14;  ///< two blocks stay in the second-level cache
  static constexpr int kMostRows = 256;

  struct Block {
    int head;  ///< counted over all pictures
    int row, rows;
  };

  static std::size_t size(int i) { return static_cast<std::size_t>(i); }
  int heads() const { return p_.dst.shape.n * p_.heads; }
  Block block(int head, int i) const {
    return {head, i * rows_, std::min(rows_, pixels_ - i * rows_)};
  }
  float* at(const Place& place, int head, int pixel) const {
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(head / p_.heads) * pixels_;
    return place.view().pixel(first + pixel) + head % p_.heads * channels_;
  }
  float* scratch(const Buffer* buffer, int thread) const {
    return buffer->data + static_cast<std::ptrdiff_t>(thread) * rows_ * pixels_;
  }

  /// [pixels][channels] of each head -> [channels][pixels].
  void turn(const Pass& pass, const Place& place, const Buffer* to) const {
    pass.pool->run(heads(), [&](int head, int) {
      transpose(at(place, head, 0), place.ld, pixels_, channels_, turned(to, head));
    });
  }
  float* turned(const Buffer* buffer, int head) const {
    return buffer->data + static_cast<std::ptrdiff_t>(head) * channels_ * pixels_;
  }

  /// Rows of q, or of a gradient like it, times turned keys or values: a block.
  void multiply_pixels(const Block& b, const Place& rows, const Buffer* turned_columns,
                       float* to) const {
    gemm({.m = b.rows,
          .n = pixels_,
          .k = channels_,
          .a_row = rows.ld,
          .b_row = pixels_,
          .c_row = pixels_},
         at(rows, b.head, b.row), turned(turned_columns, b.head), to);
  }
  /// A block times all pixels of the head.
  void multiply_block(const Block& b, const float* block, const Place& pixels, float* to,
                      std::ptrdiff_t to_ld, bool accumulate) const {
    gemm({.m = b.rows,
          .n = channels_,
          .k = pixels_,
          .a_row = pixels_,
          .b_row = pixels.ld,
          .c_row = to_ld,
          .accumulate = accumulate},
         block, at(pixels, b.head, 0), to);
  }
  /// += a turned block times the block's rows of `rows`.
  void multiply_turned_block(const Block& b, const float* block, const Place& rows,
                             const Place& to) const {
    gemm({.m = pixels_,
          .n = channels_,
          .k = b.rows,
          .a_row = 1,
          .a_col = pixels_,
          .b_row = rows.ld,
          .c_row = to.ld,
          .accumulate = true},
         block, at(rows, b.head, b.row), at(to, b.head, 0));
  }

  float* find_weights(const Block& b, int thread) const {
    float* weights = scratch(block_, thread);
    multiply_pixels(b, p_.q, keys_, weights);
    softmax_rows(weights, b.rows, pixels_, scale_);
    return weights;
  }

  void backward_block(const Block& b, int thread) const {
    const float* weights = find_weights(b, thread);
    if (p_.d_v) multiply_turned_block(b, weights, p_.d_dst, p_.d_v.place);
    if (!p_.d_q && !p_.d_k) return;
    float* grads = scratch(d_block_, thread);
    multiply_pixels(b, p_.d_dst, values_, grads);
    softmax_rows_backward(weights, grads, b.rows, pixels_, scale_);
    if (p_.d_q)
      multiply_block(b, grads, p_.k, at(p_.d_q.place, b.head, b.row), p_.d_q.place.ld, true);
    if (p_.d_k) multiply_turned_block(b, grads, p_.q, p_.d_k.place);
  }

  static void clear(const Pass& pass, const View& v) {
    pass.pool->run(v.rows(), [&](int row, int) {
      for (int x = 0; x < v.w; ++x) std::fill_n(v.row(row) + x * v.ld, v.c, 0.f);
    });
  }

  AttentionPlaces p_;
  int pixels_ = 0, channels_ = 0;  ///< pixels of a picture, channels of a head
  int rows_ = 1, blocks_ = 1;      ///< rows of a block, blocks of a head
  float scale_ = 1.f;
  Buffer *block_ = nullptr, *d_block_ = nullptr;  ///< of each thread
  Buffer *keys_ = nullptr, *values_ = nullptr;    ///< turned
};

}  // namespace

std::unique_ptr<Step> make_attention(const AttentionPlaces& places, Buffers& buffers, int threads) {
  return std::make_unique<AttentionStep>(places, buffers, threads);
}

}  // namespace unmar::cpu
