#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/onednn/matmul.h"
#include "engine/onednn/steps.h"

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
    // Rows of q, or of a gradient like it, times the transposed rows of b; and the products with a
    // block of weights and with its transpose.
    look_.emplace(by_pixels(p_.q.ld, p_.k.ld), &MatMulSpec::m, rows_, last_rows(), threads);
    take_.emplace(by_block(p_.v.ld, p_.dst.ld, false), &MatMulSpec::m, rows_, last_rows(), threads);
    block_ = buffers.make_scratch(size(threads) * size(rows_) * size(pixels_));
    if (!p_.d_dst) return;
    d_block_ = buffers.make_scratch(size(threads) * size(rows_) * size(pixels_));
    d_look_.emplace(by_pixels(p_.d_dst.ld, p_.v.ld), &MatMulSpec::m, rows_, last_rows(), threads);
    if (p_.d_q)
      d_q_.emplace(by_block(p_.k.ld, p_.d_q.place.ld, true), &MatMulSpec::m, rows_, last_rows(),
                   threads);
    if (p_.d_k)
      d_k_.emplace(by_block_transposed(p_.q.ld, p_.d_k.place.ld), &MatMulSpec::k, rows_,
                   last_rows(), threads);
    if (p_.d_v)
      d_v_.emplace(by_block_transposed(p_.d_dst.ld, p_.d_v.place.ld), &MatMulSpec::k, rows_,
                   last_rows(), threads);
  }

  Uses uses() override {
    Uses u{{p_.q.buffer, p_.k.buffer, p_.v.buffer, p_.dst.buffer, block_}, {}};
    if (!p_.d_dst) return u;
    u.backward = {p_.q.buffer, p_.k.buffer, p_.v.buffer, p_.d_dst.buffer, block_, d_block_};
    for (const GradPlace* g : {&p_.d_q, &p_.d_k, &p_.d_v})
      if (*g) u.backward.push_back(g->place.buffer);
    return u;
  }

  void forward(const Pass& pass) override {
    pass.pool->run(heads() * blocks_, [&](int index, int thread) {
      const Block b = block(index / blocks_, index % blocks_);
      float* weights = find_weights(b, thread);
      take_->run(b.rows, weights, at(p_.v, b.head, 0), at(p_.dst, b.head, b.row), thread);
    });
  }

  /// Heads in parallel; in each the blocks follow each other, so that sums have one order.
  void backward(const Pass& pass) override {
    if (!p_.d_dst) return;
    // All of them first: they may be one place, which one of them clears and all add to.
    for (const GradPlace* g : {&p_.d_q, &p_.d_k, &p_.d_v})
      if (*g && !g->accumulate) clear(pass, g->place.view());
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
  int last_rows() const { return pixels_ - (blocks_ - 1) * rows_; }
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

  MatMulSpec by_pixels(std::ptrdiff_t a_ld, std::ptrdiff_t b_ld) const {
    return {
        .n = pixels_, .k = channels_, .a_row = a_ld, .b_row = 1, .b_col = b_ld, .c_row = pixels_};
  }
  MatMulSpec by_block(std::ptrdiff_t b_ld, std::ptrdiff_t c_ld, bool accumulate) const {
    return {.n = channels_,
            .k = pixels_,
            .a_row = pixels_,
            .b_row = b_ld,
            .c_row = c_ld,
            .accumulate = accumulate};
  }
  MatMulSpec by_block_transposed(std::ptrdiff_t b_ld, std::ptrdiff_t c_ld) const {
    return {.m = pixels_,
            .n = channels_,
            .a_row = 1,
            .a_col = pixels_,
            .b_row = b_ld,
            .c_row = c_ld,
            .accumulate = true};
  }

  float* find_weights(const Block& b, int thread) const {
    float* weights = scratch(block_, thread);
    look_->run(b.rows, at(p_.q, b.head, b.row), at(p_.k, b.head, 0), weights, thread);
    softmax_rows(weights, b.rows, pixels_, scale_);
    return weights;
  }

  void backward_block(const Block& b, int thread) const {
    const float* weights = find_weights(b, thread);
    const float* d_dst = at(p_.d_dst, b.head, b.row);
    if (p_.d_v) d_v_->run(b.rows, weights, d_dst, at(p_.d_v.place, b.head, 0), thread);
    if (!p_.d_q && !p_.d_k) return;
    float* grads = scratch(d_block_, thread);
    d_look_->run(b.rows, d_dst, at(p_.v, b.head, 0), grads, thread);
    softmax_rows_backward(weights, grads, b.rows, pixels_, scale_);
    if (p_.d_q)
      d_q_->run(b.rows, grads, at(p_.k, b.head, 0), at(p_.d_q.place, b.head, b.row), thread);
    if (p_.d_k)
      d_k_->run(b.rows, grads, at(p_.q, b.head, b.row), at(p_.d_k.place, b.head, 0), thread);
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
  std::optional<PieceMatMul> look_, take_, d_look_, d_q_, d_k_, d_v_;
};

}  // namespace

std::unique_ptr<Step> make_attention(const AttentionPlaces& places, Buffers& buffers, int threads) {
  return std::make_unique<AttentionStep>(places, buffers, threads);
}

}  // namespace unmar::cpu
