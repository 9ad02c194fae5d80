#include "engine/cuda/lower/lowering.h"

namespace unmar::cuda {

namespace {

/// Into how many parts the sum of a product is cut, so that all of a large card has work.
int product_splits(int rows, int columns, int steps) {
  constexpr int kBlocks = 264, kLeastSteps = 4, kMost = 64;
  const int blocks = ((rows + 127) / 128) * ((columns + 63) / 64);
  return std::clamp(std::min((kBlocks + blocks - 1) / blocks, steps / kLeastSteps), 1, kMost);
}

/// Four floats at a time.
bool is_wide(const Place& place) {
  return place.shape.c % 4 == 0 && place.ld % 4 == 0 && place.offset % 4 == 0;
}

/// Blocks of 128 rows.
unsigned row_blocks(int rows) { return blocks(size(rows), 128); }

/// In how many phases the gradient of the source is worked out, per direction; see DataProduct.
int phases_of(const Conv2d& o) {
  return o.stride == 2 || o.border != Border::reflect ? o.stride : 1;
}
/// A block has pixels of one phase.
unsigned data_blocks(const ConvShape& s) {
  const auto pixels = [&](int size, int first) { return (size - first + s.phases - 1) / s.phases; };
  unsigned sum = 0;
  for (int y = 0; y < s.phases; ++y)
    for (int x = 0; x < s.phases; ++x) sum += row_blocks(s.n * pixels(s.h, y) * pixels(s.w, x));
  return sum;
}

/// One of the three products; parts: for the pieces of a split sum.
template <Kernel kTf32, Kernel kFp32>
void launch_product(Emitter& e, const ConvProduct& product, unsigned across, int rows, int columns,
                    Buffer* parts, bool fp32) {
  const Grid grid{across, blocks(size(columns), 64), size(product.splits)};
  if (fp32)
    e.launch<kFp32>(grid, product);
  else
    e.launch<kTf32>(grid, product);
  if (product.splits == 1) return;
  const unsigned count = size(rows) * size(columns);
  e.launch<Kernel::sum_parts>(
      {blocks(count)}, {e.at(parts), product.bias, product.out, product.out_ld, product.splits,
                        columns, count, product.accumulate});
}
Buffer* split_parts(Lowering& l, int splits, int rows, int columns) {
  if (splits == 1) return nullptr;
  return l.scratch(static_cast<std::size_t>(splits) * size(rows) * size(columns));
}

/// p.src may lie in front of a norm, which is folded in; p.d_src is the gradient behind it.
void add_product(Lowering& l, NodeId n, const Conv2d& o, const UnaryPlaces& p,
                 const NormCells& norm, const ParamPlace& weight, const ParamPlace& bias) {
  const Shape src = p.src.shape, dst = p.dst.shape;
  const ConvShape shape{src.n,
                        src.h,
                        src.w,
                        src.c,
                        dst.h,
                        dst.w,
                        dst.c,
                        o.kernel,
                        o.stride,
                        pad_begin(o),
                        o.border == Border::reflect,
                        phases_of(o)};
  const bool fp32 = l.is_fp32();
  const int taps = o.kernel * o.kernel, wide_weight = dst.c % 4 == 0;
  const int src_pixels = src.n * src.h * src.w, dst_pixels = dst.n * dst.h * dst.w;
  const auto steps = [](int depth) { return (depth + 15) / 16; };
  const int forward_splits = product_splits(dst_pixels, dst.c, taps * steps(src.c));
  const int data_taps = std::max(1, taps / (shape.phases * shape.phases));
  const int data_splits = product_splits(src_pixels, src.c, data_taps * steps(dst.c));
  const int weight_splits = product_splits(taps * src.c, dst.c, steps(dst_pixels));
  Buffer* forward_parts = split_parts(l, forward_splits, dst_pixels, dst.c);
  Buffer* data_parts = p.d_src ? split_parts(l, data_splits, src_pixels, src.c) : nullptr;
  Buffer* weight_parts =
      p.d_dst && weight.grad ? split_parts(l, weight_splits, taps * src.c, dst.c) : nullptr;
  Buffer* bias_parts = p.d_dst && bias.grad ? column_parts(l, dst) : nullptr;
  l.add(
      n,
      [=](Emitter& e) {
        launch_product<Kernel::conv_forward_tf32, Kernel::conv_forward_fp32>(
            e,
            {shape, fold_of(e, norm), e.at(p.src), weight.value, p.src.ld, 0, bias.value,
             e.at(p.dst), p.dst.ld, e.at(forward_parts), forward_splits, is_wide(p.src),
             wide_weight, false},
            row_blocks(dst_pixels), dst_pixels, dst.c, forward_parts, fp32);
      },
      [=](Emitter& e) {
        if (!p.d_dst) return;
        if (weight.grad)
          launch_product<Kernel::conv_weight_tf32, Kernel::conv_weight_fp32>(
              e,
              {shape, fold_of(e, norm), e.at(p.src), e.at(p.d_dst), p.src.ld, p.d_dst.ld, nullptr,
               weight.grad, dst.c, e.at(weight_parts), weight_splits, is_wide(p.src),
               is_wide(p.d_dst), false},
              row_blocks(taps * src.c), taps * src.c, dst.c, weight_parts, fp32);
        if (bias_parts) sum_columns(e, p.d_dst, 1, bias_parts, bias.grad, 0, false);
        if (p.d_src)
          launch_product<Kernel::conv_data_tf32, Kernel::conv_data_fp32>(
              e,
              {shape,
               {},
               e.at(p.d_dst),
               weight.value,
               p.d_dst.ld,
               0,
               nullptr,
               e.at(p.d_src.place),
               p.d_src.place.ld,
               e.at(data_parts),
               data_splits,
               is_wide(p.d_dst),
               wide_weight,
               p.d_src.accumulate},
              data_blocks(shape), src_pixels, src.c, data_parts, fp32);
      });
}

}  // namespace

void lower_op(Lowering& l, NodeId n, const Conv2d& o) {
  UnaryPlaces p = l.unary(n);
  const auto [src, norm] = l.folded_source(n);
  p.src = src;
  add_product(l, n, o, p, norm, l.param(l.node(n), 0), l.param(l.node(n), 1));
}

/// A 1x1 convolution that makes the whole block of each pixel, then the blocks side by side.
void lower_op(Lowering& l, NodeId n, const ConvTranspose2d& o) {
  const UnaryPlaces p = l.unary(n);
  const Shape& src = p.src.shape;
  const Shape shape{src.n, o.out_c * o.stride * o.stride, src.h, src.w};
  const Place blocks = l.make_place(shape);
  const Place d_blocks = p.d_dst ? l.make_place(shape) : Place{};
  add_product(l, n, {.out_c = shape.c, .kernel = 1, .bias = false},
              {p.src, blocks, d_blocks, p.d_src}, {}, l.param(l.node(n), 0), {});
  add_shuffle(l, n, o.stride, true, l.param(l.node(n), 1),
              {blocks, p.dst, p.d_dst, {d_blocks, false}});
}

}  // namespace unmar::cuda
