#include "engine/cuda/lower/operands.h"

namespace unmar::cuda {
namespace {

/// One launch of a kernel that there is for each precision.
template <Kernel kFp32, Kernel kTf32, Kernel kBf16>
void launch_as(Emitter& e, Precision p, Grid grid, const typename KernelOf<kFp32>::Args& args) {
  switch (p) {
    case Precision::fp32:
      return e.launch<kFp32>(grid, args);
    case Precision::tf32:
      return e.launch<kTf32>(grid, args);
    case Precision::bf16:
      return e.launch<kBf16>(grid, args);
  }
}

}  // namespace

std::vector<Band> bands_of(int n, int rows, std::size_t row_bytes, std::size_t most) {
  const std::size_t picture = size(rows) * row_bytes;
  std::vector<Band> bands;
  if (picture <= most) {
    const int pictures = std::max(1, static_cast<int>(most / std::max<std::size_t>(picture, 1)));
    for (int i = 0; i < n; i += pictures) bands.push_back({i, std::min(pictures, n - i), 0, rows});
    return bands;
  }
  const int at_a_time = std::max(1, static_cast<int>(most / row_bytes));
  for (int i = 0; i < n; ++i)
    for (int y = 0; y < rows; y += at_a_time)
      bands.push_back({i, 1, y, std::min(at_a_time, rows - y)});
  return bands;
}

Buffer* operand_memory(Lowering& l, const Operand& o, int pictures, int rows, bool is_kept) {
  const std::size_t bytes = size(pictures) * size(rows) * o.line_bytes(l.precision());
  return is_kept ? l.make(bytes / sizeof(float)) : l.scratch(bytes / sizeof(float));
}

namespace {

/// From the first picture of `to` on.
template <class T>
T* cells_of(T* first, const Shape& s, const Operand& to) {
  return first ? first + std::ptrdiff_t{to.first_n} * s.c : nullptr;
}
Values pictures_of(Emitter& e, const Place& src, const Operand& to) {
  const Shape& s = src.shape;
  return shifted(e.values(src), std::ptrdiff_t{to.first_n} * s.h * s.w * src.ld);
}
unsigned fours_of(const Operand& to) { return size(to.n) * to.image() / 4; }

Prepare prepare_args(Emitter& e, const Place& src, const Folded& fold, bool reflect,
                     const Operand& to) {
  const Shape& s = src.shape;
  return {pictures_of(e, src, to),
          {cells_of(fold.scale, s, to), cells_of(fold.shift, s, to), fold.slope},
          e.at(to.data),
          s.h,
          s.w,
          s.c,
          to.top - to.first_row,
          to.left,
          to.high,
          to.wide,
          to.c,
          reflect,
          is_wide(src),
          fours_of(to)};
}

}  // namespace

void prepare(Emitter& e, Precision precision, const Place& src, const NormCells& norm, bool reflect,
             const Operand& to) {
  launch_as<Kernel::prepare_fp32, Kernel::prepare_tf32, Kernel::prepare_bf16>(
      e, precision, {blocks(fours_of(to))}, prepare_args(e, src, fold_of(e, norm), reflect, to));
}

void prepare_gradient(Emitter& e, Precision precision, const Place& d_dst,
                      const GradientInFront* in_front, const Operand& to) {
  if (!in_front) return prepare(e, precision, d_dst, {}, false, to);
  const GradientInFront& g = *in_front;
  const Shape& s = g.value.shape;
  const auto cells = [&](Buffer* of) { return cells_of(e.at(of), s, to); };
  PrepareGradient args{prepare_args(e, d_dst, {}, false, to),
                       pictures_of(e, g.value, to),
                       {{cells(g.norm.scale), cells(g.norm.shift), g.norm.act},
                        cells(g.norm.mean),
                        cells(g.offset),
                        cells(g.slope)}};
  args.gradient.wide_src &= is_wide(g.value);
  launch_as<Kernel::prepare_gradient_fp32, Kernel::prepare_gradient_tf32,
            Kernel::prepare_gradient_bf16>(e, precision, {blocks(fours_of(to))}, args);
}

SumOrder order_sum(const std::vector<Tap>& taps, int channels, int weight_step, Precision p) {
  const int group = group_size(p), filled = whole_groups(channels, p);
  SumOrder order{};
  // All taps of a few channels in a row: their pixels are neighbours, and still in the cache.
  for (int first = 0; first < filled; first += 4 * group)
    for (const Tap& tap : taps)
      for (int c = first; c < std::min(first + 4 * group, filled); c += group) {
        order.offset.push_back(tap.offset + c);
        order.weight.push_back(tap.weight + c * weight_step);
        order.weight.push_back(std::clamp(channels - c, 0, group));
      }
  while (order.offset.size() % 4 != 0) {
    order.offset.push_back(0);
    order.weight.insert(order.weight.end(), {0, 0});
  }
  order.steps = static_cast<int>(order.offset.size() / 4);
  return order;
}

unsigned WeightOperands::add(const float* weight, const SumOrder& order,
                             std::pair<int, int> weight_steps, int columns, int filled) {
  const int column_groups = 4 * order.steps;
  const unsigned first = count;
  segment_table.push_back({weight, first, static_cast<int>(group_table.size()), weight_steps.first,
                           weight_steps.second, columns, column_groups});
  group_table.insert(group_table.end(), order.weight.begin(), order.weight.end());
  count += size(filled) * size(column_groups);
  return first;
}

void WeightOperands::prepare(Emitter& e, Precision precision) const {
  launch_as<Kernel::prepare_weights_fp32, Kernel::prepare_weights_tf32,
            Kernel::prepare_weights_bf16>(
      e, precision, {blocks(count)},
      {reinterpret_cast<const WeightSegment*>(e.at(segments)),
       static_cast<int>(segment_table.size()), reinterpret_cast<const int*>(e.at(groups)),
       e.at(data), count});
}

}  // namespace unmar::cuda
