#pragma once

#include <utility>
#include <vector>

#include "engine/cuda/lower/operands.h"

/// Launches of the products of kernels/conv.h.
namespace unmar::cuda {

/// A product's columns, in launches of blocks of 128, one of 136 and blocks of 32.
struct Columns {
  int wide = 0, wider = 0, narrow = 0;  ///< blocks
  Columns() = default;
  /// can_be_wider: whether there is a kernel for 136.
  Columns(int count, Precision p, bool can_be_wider);
  int filled() const { return 128 * wide + 136 * wider + 32 * narrow; }
  /// Into how many parts a sum is cut, so that all of a large card has work, at once.
  int splits(int rows, int steps) const;
};

/// The memory of a product's parts, if its sum is cut.
Buffer* split_parts(Lowering& l, int splits, int rows, int columns);

/// A product whose rows are pixels, ready to be launched.
struct RowProduct {
  Buffer *weights, *offsets, *parts;
  unsigned first_group;  ///< in weights
  Columns blocks;
  int columns, steps;
  int splits;      ///< of the largest band
  ProductRows to;  ///< of all rows

  /// Of whole blocks of each picture, made in the one launch: all of the rows are in `bands`.
  Moments make_moments(Lowering& l, const std::vector<Band>& bands) const;
};
/// channels: of the operand that are summed up. weight_steps: in the weights, from channel to
/// channel of the sum, and from column to column. bands: how rows are launched.
RowProduct make_row_product(Lowering& l, int channels, const std::vector<Tap>& taps,
                            const float* weight, std::pair<int, int> weight_steps, int columns,
                            const ProductRows& to, const std::vector<Band>& bands);

struct RowTarget {
  const float* bias;
  const Place* out;
  Buffer* ring;
  bool accumulate;
  const Moments* moments = nullptr;  ///< made, too, where it has parts
};
/// A band of its rows. `a` holds what they need; pixel_step: how far rows lie apart in it.
void launch(Emitter& e, Precision p, const RowProduct& r, const Operand& a, const Band& band,
            int pixel_step, const RowTarget& t);

/// The gradient of the weights from a band of the pixels of dst: `a` holds the source below them,
/// `d` their gradients.
struct WeightSum {
  int kernel, stride, channels;  ///< channels: of the source
  Columns blocks;
  int columns;
  Buffer* parts;
  float* grad;
};
WeightSum make_weight_sum(Lowering& l, int kernel, int stride, const Shape& src, const Shape& dst,
                          const std::vector<Band>& bands, float* grad);
void launch(Emitter& e, Precision p, const WeightSum& w, const Operand& a, const Operand& d,
            const Shape& dst, const Band& band, bool accumulate);

}  // namespace unmar::cuda
