#pragma once

#include <utility>
#include <vector>

#include "engine/cuda/lower/lowering.h"

/// Factors of products, made ready on the card: kernels/operands.h.
namespace unmar::cuda {

/// How many elements 16 bytes are.
inline int group_size(Precision p) { return p == Precision::bf16 ? 8 : 4; }
inline int whole_groups(int channels, Precision p) {
  const int group = group_size(p);
  return (channels + group - 1) / group * group;
}

/// Some pictures, and some rows of each, of what a product makes: products of large pictures are
/// done in bands, so that their operands stay small beside the pictures.
struct Band {
  int first_n, n, first_row, rows;
};
/// row_bytes: of the operand for a row of one picture. most: of a band. One, if all of it fits.
std::vector<Band> bands_of(int n, int rows, std::size_t row_bytes, std::size_t most);

/// A picture with a border, or a band of it: [n][high][wide][c].
struct Operand {
  Buffer* data = nullptr;
  int n = 0, high = 0, wide = 0, c = 0;
  int top = 0, left = 0;           ///< rows and columns in front of the picture
  int first_n = 0, first_row = 0;  ///< of the whole operand, where this part begins

  unsigned pixel() const { return size(c); }
  unsigned line() const { return size(wide) * pixel(); }
  unsigned image() const { return size(high) * line(); }
  std::size_t line_bytes(Precision p) const {
    return std::size_t{line()} * 16 / size(group_size(p));
  }
  /// The part that `count` rows from `first` on, for pictures of a band, are.
  Operand part(const Band& band, int first, int count) const {
    Operand o = *this;
    o.n = band.n, o.first_n = band.first_n;
    o.high = count, o.first_row = first;
    return o;
  }
};
/// Memory for the largest part that is made ready at a time: `pictures` of `rows`.
Buffer* operand_memory(Lowering& l, const Operand& o, int pictures, int rows, bool is_kept);
/// Launches what fills it with `src` as the norm in front of the product makes it.
void prepare(Emitter& e, Precision precision, const Place& src, const NormCells& norm, bool reflect,
             const Operand& to);

/// The same of the gradient of a convolution's result; with in_front d_dst is the gradient behind
/// the norm that is behind the convolution.
void prepare_gradient(Emitter& e, Precision precision, const Place& d_dst,
                      const GradientInFront* in_front, const Operand& to);

/// A tap of a kernel: where it looks in the operand, from where a row of the product begins, and
/// where its weights begin.
struct Tap {
  int offset, weight;
};
/// What a column of a product sums up: groups of 16 bytes, some channels of one tap each.
struct SumOrder {
  int steps;                ///< of four groups
  std::vector<int> offset;  ///< per group, in the operand
  std::vector<int> weight;  ///< per group: the first weight, and how many there are
};
/// weight_step: from a channel's weight to the next one's.
SumOrder order_sum(const std::vector<Tap>& taps, int channels, int weight_step, Precision p);

/// The weights of all products of a graph, made ready in one launch before the first of them.
struct WeightOperands {
  Buffer *data, *segments, *groups;
  std::vector<WeightSegment> segment_table;
  std::vector<int> group_table;
  unsigned count = 0;  ///< of groups

  /// Returns the first group of a product's columns. `filled`: columns with those that are 0.
  unsigned add(const float* weight, const SumOrder& order, std::pair<int, int> weight_steps,
               int columns, int filled);
  void prepare(Emitter& e, Precision precision) const;
};

}  // namespace unmar::cuda
