#include "engine/cuda/lower/products.h"

namespace unmar::cuda {
namespace {

constexpr int kRowsOfBlock = 128;

/// The kernels of a product, for each precision that has one of this width.
template <Kernel kFp32, Kernel kTf32, Kernel kBf16, class Args>
void launch_blocks(Emitter& e, Precision p, Args args, int& first_column, int blocks_across,
                   int width) {
  if (blocks_across == 0) return;
  args.first_column = first_column;
  first_column += blocks_across * width;
  const Grid grid{blocks(size(args.out.rows), kRowsOfBlock), size(blocks_across),
                  size(args.out.splits)};
  if (p == Precision::fp32)
    e.launch<kFp32>(grid, args);
  else if (p == Precision::tf32)
    e.launch<kTf32>(grid, args);
  else
    e.launch<kBf16>(grid, args);
}
void sum_the_parts(Emitter& e, const ProductOut& out) {
  if (out.splits > 1)
    e.launch<Kernel::sum_parts>({blocks(size(out.rows) * size(out.columns))}, out);
}
void launch_product(Emitter& e, Precision p, const ConvProduct& args, const Columns& columns) {
  int column = 0;  // fp32 has narrow blocks only
  launch_blocks<Kernel::conv_fp32_32, Kernel::conv_tf32_128, Kernel::conv_bf16_128>(
      e, p, args, column, columns.wide, 128);
  launch_blocks<Kernel::conv_fp32_32, Kernel::conv_tf32_136, Kernel::conv_bf16_136>(
      e, p, args, column, columns.wider, 136);
  launch_blocks<Kernel::conv_fp32_32, Kernel::conv_tf32_32, Kernel::conv_bf16_32>(
      e, p, args, column, columns.narrow, 32);
  sum_the_parts(e, args.out);
}
void launch_product(Emitter& e, Precision p, const WeightProduct& args, const Columns& columns) {
  int column = 0;
  launch_blocks<Kernel::weight_fp32_32, Kernel::weight_tf32_128, Kernel::weight_bf16_128>(
      e, p, args, column, columns.wide, 128);
  launch_blocks<Kernel::weight_fp32_32, Kernel::weight_tf32_32, Kernel::weight_bf16_32>(
      e, p, args, column, columns.narrow, 32);
  sum_the_parts(e, args.out);
}

int rows_of(const Band& band, const ProductRows& to) { return band.n * band.rows * to.row_w; }

}  // namespace

Columns::Columns(int count, Precision p, bool can_be_wider) {
  const int rest = count % 128;
  if (p != Precision::fp32) {
    wider = can_be_wider && count > 128 && rest > 0 && rest <= 8;
    wide = count / 128 - wider + (rest > 64);
  }
  narrow = std::max(0, (count - 128 * wide - 136 * wider + 31) / 32);
}

int Columns::splits(int rows, int steps) const {
  const int wide_blocks = wide + wider, at_once = wide_blocks > 0 ? 264 : 528;
  constexpr int kLeastSteps = 8;
  const int blocks = (rows + 127) / 128 * (wide_blocks > 0 ? wide_blocks : narrow);
  return std::max(1, std::min(at_once / std::max(1, blocks), steps / kLeastSteps));
}

Buffer* split_parts(Lowering& l, int splits, int rows, int columns) {
  if (splits == 1) return nullptr;
  return l.scratch(static_cast<std::size_t>(splits) * size(rows) * size(columns));
}

RowProduct make_row_product(Lowering& l, int channels, const std::vector<Tap>& taps,
                            const float* weight, std::pair<int, int> weight_steps, int columns,
                            const ProductRows& to, const std::vector<Band>& bands) {
  const Precision p = l.precision();
  const SumOrder order = order_sum(taps, channels, weight_steps.first, p);
  const Columns blocks(columns, p, true);
  const int rows = rows_of(bands.front(), to), splits = blocks.splits(rows, order.steps);
  return {l.weights()->data,
          l.table(order.offset),
          split_parts(l, splits, rows, columns),
          l.weights()->add(weight, order, weight_steps, columns, blocks.filled()),
          blocks,
          columns,
          order.steps,
          splits,
          to};
}

Moments RowProduct::make_moments(Lowering& l, const std::vector<Band>& bands) const {
  const int pixels = to.row_h * to.row_w, pictures = bands.front().n;
  if (bands.size() > 1 || splits > 1 || (pictures > 1 && pixels % kRowsOfBlock != 0)) return {};
  const int chunks = (pixels + kRowsOfBlock - 1) / kRowsOfBlock;
  const std::size_t parts = size(pictures) * size(chunks) * std::size_t{size(columns)};
  return {l.make(parts), l.make(parts), size(kRowsOfBlock), chunks};
}

void launch(Emitter& e, Precision p, const RowProduct& r, const Operand& a, const Band& band,
            int pixel_step, const RowTarget& t) {
  const int rows = rows_of(band, r.to);
  if (rows == 0) return;
  const Shape& s = t.out->shape;
  ProductRows to = r.to;
  to.row_h = band.rows;
  to.first_y += band.first_row * to.scale;
  const Values out =
      shifted(e.values(*t.out), std::ptrdiff_t{band.first_n} * s.h * s.w * t.out->ld);
  to.ring = e.at(t.ring);
  if (to.ring)
    to.ring += size(band.first_n) * size(to.high * to.wide - to.h * to.w) * std::size_t{size(s.c)};
  const std::size_t groups = 4 * size(r.steps) * std::size_t{size(r.blocks.filled())};
  const int splits = std::min(r.splits, r.blocks.splits(rows, r.steps));
  launch_product(e, p,
                 ConvProduct{e.at(a.data),
                             reinterpret_cast<const int*>(e.at(r.offsets)),
                             a.image(),
                             size(pixel_step) * a.line(),
                             size(pixel_step) * a.pixel(),
                             e.at(r.weights, std::size_t{r.first_group} * 4, groups * 4),
                             r.steps,
                             0,
                             {to, rows, r.columns, t.bias, out, s.c, is_wide(*t.out), e.at(r.parts),
                              splits, t.accumulate, t.moments ? e.at(t.moments->mean) : nullptr,
                              t.moments ? e.at(t.moments->square) : nullptr}},
                 r.blocks);
}

WeightSum make_weight_sum(Lowering& l, int kernel, int stride, const Shape& src, const Shape& dst,
                          const std::vector<Band>& bands, float* grad) {
  WeightSum w{kernel, stride, src.c, Columns(dst.c, l.precision(), false), dst.c, nullptr, grad};
  const int rows = kernel * kernel * whole_groups(src.c, l.precision());
  const int step = 4 * group_size(l.precision()),
            pixels = bands.front().n * bands.front().rows * dst.w;
  w.parts = split_parts(l, w.blocks.splits(rows, (pixels + step - 1) / step), rows, dst.c);
  return w;
}

void launch(Emitter& e, Precision p, const WeightSum& w, const Operand& a, const Operand& d,
            const Shape& dst, const Band& band, bool accumulate) {
  const int rows = w.kernel * w.kernel * a.c, pixels = band.n * band.rows * dst.w;
  const int step = 4 * group_size(p);
  const int splits = w.blocks.splits(rows, (pixels + step - 1) / step);
  // The gradient behind its border.
  const std::size_t first =
      (size(d.top - d.first_row + band.first_row) * std::size_t{size(d.wide)} + size(d.left)) *
      d.pixel() * 16 / size(group_size(p));
  const char* b = reinterpret_cast<const char*>(e.at(d.data));
  const ProductRows to{1, a.c, 1, 0, 0, 1, w.channels, nullptr, 0, 0, 0, 0};
  launch_product(
      e, p,
      WeightProduct{e.at(a.data),
                    b ? b + first : nullptr,
                    a.image(),
                    size(w.stride) * a.line(),
                    size(w.stride) * a.pixel(),
                    d.image(),
                    d.line(),
                    d.pixel(),
                    a.line(),
                    a.pixel(),
                    a.c,
                    d.c,
                    w.kernel,
                    pixels,
                    band.rows,
                    dst.w,
                    0,
                    {to, rows, w.columns, nullptr, Values{w.grad, w.columns, 0}, w.columns,
                     w.columns % 4 == 0, e.at(w.parts), splits, accumulate, nullptr, nullptr}},
      w.blocks);
}

}  // namespace unmar::cuda
