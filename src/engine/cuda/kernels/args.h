#pragma once

/// What the kernels take: one plain struct each, the same for host, card and tests. All values are
/// channels-last: the channels of pixel p = (n * h + y) * w + x start at element p * ld.
namespace unmar::cuda {

/// Values or gradients: their first element, how many lie between pixels, and whether they are
/// bf16; else fp32.
struct Values {
  void* data;
  long long ld;
  int bf16;
};

enum ActKind { act_none, act_relu, act_leaky, act_elu, act_silu, act_gelu, act_tanh, act_sigmoid };
struct Act {
  int kind;  ///< ActKind
  float slope;
};

/// A norm by picture and channel: value * scale + shift; with its activation.
struct Normed {
  const float* scale;
  const float* shift;
  Act act;
};
/// A norm that the reader of its source works out, with relu or leaky relu behind it, or nothing
/// (slope 1). scale null: the source as it is.
struct Folded {
  const float* scale;
  const float* shift;
  float slope;
};

/// What changes from pass to pass. It lies on the device, so that the launches stay the same.
struct Pass {
  long long iteration;
  int jitter;
  int from;    ///< the node that backward starts from
  float seed;  ///< of the loss' gradient
  int update;  ///< whether the gradients of the last pass are to be used
  float beta1, beta2, eps, rate, inv_root, grad_scale;
  float average_share;
};

struct Fill {
  float* dst;
  unsigned long long count;
  float value;
};
/// dst = src, or += src.
struct Copy {
  Values src, dst;
  int c;
  unsigned pixels;
  int wide;  ///< four channels at a time
  int accumulate;
};
/// From or to [n,c,h,w]; `channels_last` is the side with ld.
struct Reorder {
  const float* src;
  float* dst;
  long long ld;
  int c;
  unsigned pixels;  ///< of one picture
  unsigned count;
};
/// The gradient of the loss.
struct Seed {
  const Pass* pass;
  float* dst;
  int node;
};
/// dst = src where backward starts from this node, else 0.
struct Cotangent {
  const Pass* pass;
  Copy copy;
  int node;
};
struct Activate {
  Values src, d_dst, dst;  ///< d_dst: of the gradient, which goes to dst
  int c;
  unsigned pixels;
  int wide;
  Act act;
  int accumulate;
};
struct Noise {
  const Pass* pass;
  unsigned long long key;
  Values src, dst;
  int c;
  unsigned count;
  float amount;  ///< sigma, or the rate of dropout
  int accumulate;
};
/// b has all pixels, or one for so many (`b_pixels`) of a.
struct Sum {
  Values a, b, dst;
  int c;
  unsigned pixels, b_pixels;
  int wide;
};
/// b has the channels of a, or one channel.
struct Binary {
  const float* a;
  const float* b;
  float* dst;
  long long a_ld, b_ld, dst_ld;
  int c;
  unsigned count;
  int b_one_channel;
  int accumulate;
};
/// dst[p] = sum over channels of a * b.
struct ChannelDot {
  const float* a;
  const float* b;
  float* dst;
  long long a_ld, b_ld, dst_ld;
  int c;
  unsigned pixels;
  int accumulate;
};
struct MaxPool {
  Values src, d_dst, dst;
  int h, w, dst_h, dst_w, c, factor;
  unsigned count;
  int accumulate;
};
/// h, w: of the side with more channels. c: of the side with fewer.
struct Shuffle {
  const float* src;
  float* dst;
  const float* bias;
  long long src_ld, dst_ld;
  int h, w, c, factor, channels_last;
  unsigned count;
  int accumulate;
};
/// Blocks of kernel x kernel pixels, one from each pixel of [n,h,w], side by side or overlapping in
/// [n,dst_h,dst_w], from `padding` rows and columns outside of it on. c: of a pixel of a block.
struct Fold {
  const float* src;
  float* dst;
  const float* bias;
  long long src_ld, dst_ld;
  int h, w, dst_h, dst_w, c, kernel, stride, padding;
  unsigned count;  ///< of what is written
  int accumulate;
};
/// One dimension of a linear map, as LinearMap.
struct Taps {
  const int* begin;
  const int* index;
  const float* weight;
};
struct Resample {
  Values src;
  Folded fold;
  Values dst;
  Taps rows, cols;
  int h, w, dst_h, dst_w, c;
  unsigned pixels;  ///< of dst
  int wide;         ///< four channels at a time
  int accumulate;
};
struct FilterArgs {
  const float* src;
  const float* taps;
  float* dst;
  long long src_ld, dst_ld;
  int h, w, c, taps_h, taps_w, reflect;
  unsigned count;
  int accumulate;
};
struct TimeWaves {
  const float* times;
  const double* frequency;
  const float* d_dst;
  float* dst;
  long long times_ld, d_dst_ld, dst_ld;
  int n, half, cos_first, accumulate;
};

/// Sums over the pixels of each picture, or of all, channel by channel, in two launches.
struct ColumnSums {
  Values src;
  int c, wide;      ///< wide: four channels at a time
  unsigned pixels;  ///< of a group
  unsigned chunk;   ///< pixels of one part
  int chunks;
  float* parts;  ///< [group][chunk][c]
};
struct ColumnFinish {
  const float* parts;
  int c, chunks;
  float* dst;
  long long dst_ld;  ///< from group to group
  int accumulate;
};

struct NormMoments {
  Values src;
  int c, wide;
  unsigned pixels, chunk;
  int chunks;
  float *mean, *square;  ///< [n][chunk][c]: mean, and sum of squared distances from it
};
/// A unit: what shares its mean and variance, `unit_n` pictures and `unit_c` channels.
struct NormFinish {
  const float *mean, *square;
  const float *gamma, *beta;
  int n, c, unit_n, unit_c;
  unsigned pixels, chunk;
  int chunks;
  float eps;
  float *cell_mean, *cell_rstd, *scale, *shift;  ///< [n][c]
  float *now_mean, *now_variance;  ///< [c], of the whole batch, for NormFollow; or null
};
/// Running statistics in place of the batch's: they have no gradient, so offset and slope are 0.
struct NormRunning {
  const float *mean, *variance, *gamma, *beta;
  int n, c;
  float eps;
  float *cell_mean, *cell_rstd, *scale, *shift, *offset, *slope;  ///< [n][c]
};
/// Running statistics follow those of a batch, if the step counts.
struct NormFollow {
  const Pass* pass;
  const float *now_mean, *now_variance;
  float *mean, *variance;
  int c;
  float momentum;
  double unbiased;  ///< factor of the variance
};
struct NormApply {
  Values src, dst;
  Normed norm;
  int c;
  unsigned pixels, all_pixels;  ///< of a picture, of all
  int wide;                     ///< four channels at a time
};
struct NormGradSums {
  Values src, d_dst;  ///< of one kind
  Normed norm;
  const float *cell_mean, *cell_rstd;
  int c, wide;
  unsigned pixels, chunk;
  int chunks;
  float *sum, *sum_normal;  ///< [n][chunk][c]
};
struct NormGradFinish {
  const float *sum, *sum_normal, *gamma, *cell_rstd;
  int n, c, unit_n, unit_c;
  unsigned pixels;
  int chunks;
  float *offset, *slope;    ///< [n][c]
  float *d_gamma, *d_beta;  ///< null, unless a unit is a channel of all pictures
};
struct NormGradParams {
  const float *sum, *sum_normal;
  int n, c, chunks;
  float *d_gamma, *d_beta;
};
/// What the gradient in front of a norm is made of, beside the one behind it.
struct NormGrad {
  Normed norm;
  const float *cell_mean, *offset, *slope;  ///< [n][c]
};
struct NormGradApply {
  Values src, d_dst, d_src;
  NormGrad norm;
  int c;
  unsigned pixels, all_pixels;
  int wide;
  int accumulate;
};

/// sum_cross_entropy: of logits a with targets b; its gradient by b is of another kind.
enum SumKind {
  sum_square_differences,
  sum_absolute_differences,
  sum_squares,
  sum_cross_entropy,
  sum_cross_entropy_by_target
};
/// One number per block; `chunk` elements each.
struct Sums {
  const float* a;
  const float* b;
  long long a_ld, b_ld;
  int c, kind;
  unsigned long long count, chunk;
  float* parts;
};
struct SumFinish {
  const float* parts;
  int count;
  double factor;
  float* dst;
};
struct DifferenceGrad {
  const float *a, *b, *d_loss;
  float* dst;
  long long a_ld, b_ld, dst_ld;
  int c, kind;
  unsigned count;
  float factor;
  int accumulate;
};
struct Variation {
  const float *src, *d_loss;
  float* dst;
  long long src_ld, dst_ld;
  int n, h, w, c;
  unsigned count, chunk;
  float beta, eps, factor;
  float* parts;
  int accumulate;
};
/// dst = weight * src, or += that: scalars.
struct Scaled {
  const float* src;
  float* dst;
  float weight;
  int accumulate;
};

struct AttentionArgs {
  const float *q, *k, *v, *dst, *d_dst;
  float *out, *d_q, *d_k, *d_v;
  long long q_ld, k_ld, v_ld, dst_ld, d_dst_ld, out_ld, d_q_ld, d_k_ld, d_v_ld;
  float* log_sum;               ///< [n][head][pixel]: log of the sum of exponentials
  float* dot;                   ///< the same: sum of dst * d_dst
  int pixels, heads, channels;  ///< channels: of a head
  float scale;
  int add_q, add_k, add_v;
};

/// Values made ready to be factors of products: [n][high][wide][dst_c] with the border around them,
/// dst_c in whole groups of 16 bytes, rounded to what the product takes.
struct Prepare {
  Values src;
  Folded fold;
  void* dst;
  int h, w, c;     ///< of the source
  int top, left;   ///< rows and columns of dst in front of it
  int high, wide;  ///< of dst
  int dst_c;
  int reflect;  ///< what lies around the source is mirrored; else 0
  int wide_src;
  unsigned count;  ///< of dst, in fours of channels
};
/// The same of the gradient in front of a norm, which is stored nowhere: `gradient.src` is the one
/// behind it. c in whole fours.
struct PrepareGradient {
  Prepare gradient;
  Values value;  ///< in front of the norm
  NormGrad norm;
};
/// The weights of one product as [column][depth]; see ConvProduct. `groups` says where in the table
/// of groups those of a column begin: for each the first weight, and how many there are; the rest
/// of the 16 bytes is 0.
struct WeightSegment {
  const float* weight;
  unsigned first;  ///< group of all that are made ready
  int groups;
  int step, column_step;  ///< in the weights, from one of a group to the next, and to a column's
  int columns;            ///< those beyond are 0
  int column_groups;      ///< groups of a column
};
struct PrepareWeights {
  const WeightSegment* segments;
  int segment_count;
  const int* groups;
  void* dst;
  unsigned count;  ///< of all groups
};
/// Where the rows of a product go. Row ((n * row_h) + y) * row_w + x is pixel (y * scale + first_y,
/// x * scale + first_x) of picture n of out. Those outside of out are dropped, or lie in `ring`,
/// which holds what a border of `top` and `left` in front of out, and more behind it, gets.
struct ProductRows {
  int row_h, row_w, scale, first_y, first_x;
  int h, w;
  float* ring;
  int top, left, high, wide;  ///< high, wide: of out with its border
};
/// out = rows x columns. With splits > 1 each part of the sum goes to parts [split][row][column].
struct ProductOut {
  ProductRows to;
  int rows, columns;
  const float* bias;
  Values out;
  int channels;  ///< of a pixel in ring, which is fp32
  int wide_out;  ///< four channels at a time
  float* parts;
  int splits;
  int accumulate;
  /// [block of 128 rows][column], as in NormMoments; or null. Without splits only.
  float *mean, *square;
};
/// Rows: pixels. The sum runs over groups of 16 bytes; the group k of a row lies offsets[k] behind
/// the row's first element, which is n * image + y * line + x * pixel.
struct ConvProduct {
  const void* a;
  const int* offsets;
  unsigned image, line, pixel;
  const void* b;     ///< [column][steps * 4 groups]
  int steps;         ///< of four groups
  int first_column;  ///< of this launch
  ProductOut out;
};
/// Rows: taps x channels of a. The sum runs over the pixels [n][pixel_h][pixel_w].
struct WeightProduct {
  const void *a, *b;
  unsigned a_image, a_line, a_pixel, b_image, b_line, b_pixel;  ///< between pixels of the sum
  unsigned a_row, a_column;  ///< between the rows and columns of a, for the taps
  int a_channels, b_channels, kernel;
  int pixels, pixel_h, pixel_w;
  int first_column;
  ProductOut out;
};
/// Adds what the border of a gradient got to the pixels that it mirrors.
struct AddMirrored {
  ProductOut out;
  int top, bottom, left, right;  ///< rows and columns of out that something is added to
  unsigned count;
};

struct AdamArgs {
  const Pass* pass;
  float *value, *grad, *m, *v, *average;
  unsigned long long count;
};
/// What the host hears of a step.
struct Report {
  const float *loss, *squares;
  float* dst;
};

constexpr int kStages = 4;  ///< of shared memory: three are on their way while one is multiplied
/// Bytes of shared memory of a product's block, 128 rows by `columns`.
constexpr unsigned larger(unsigned a, unsigned b) { return a > b ? a : b; }
/// Floats from row to row of the sums, which take the place of the stages at the end: lanes that
/// write eight rows at once meet no bank twice.
constexpr int sums_line(int columns) { return columns > 128 ? columns : columns + 8; }
constexpr unsigned sums_shared(unsigned columns) {
  return 128 * (static_cast<unsigned>(sums_line(static_cast<int>(columns))) * 4 + 16);
}
constexpr unsigned rows_shared(unsigned columns) {
  return larger(kStages * (128 + columns) * 64, sums_shared(columns));
}
constexpr unsigned pixels_shared(unsigned columns) {
  return larger(kStages * 16 * 4 * (128 + 8 + columns + 8), sums_shared(columns));
}

/// Kernels that there are twice: in the module values for Values of fp32 alone, and as name_bf16,
/// in the module bf16, for Values of either kind. Of 256 threads.
#define UNMAR_CUDA_VALUE_KERNELS(ROW, ...)         \
  ROW(copy, Copy, __VA_ARGS__)                     \
  ROW(activation, Activate, __VA_ARGS__)           \
  ROW(activation_grad, Activate, __VA_ARGS__)      \
  ROW(jitter, Noise, __VA_ARGS__)                  \
  ROW(add, Sum, __VA_ARGS__)                       \
  ROW(max_pool, MaxPool, __VA_ARGS__)              \
  ROW(max_pool_grad, MaxPool, __VA_ARGS__)         \
  ROW(resample, Resample, __VA_ARGS__)             \
  ROW(column_sums, ColumnSums, __VA_ARGS__)        \
  ROW(norm_moments, NormMoments, __VA_ARGS__)      \
  ROW(norm_apply, NormApply, __VA_ARGS__)          \
  ROW(norm_grad_sums, NormGradSums, __VA_ARGS__)   \
  ROW(norm_grad_apply, NormGradApply, __VA_ARGS__) \
  ROW(add_mirrored, AddMirrored, __VA_ARGS__)      \
  ROW(sum_parts, ProductOut, __VA_ARGS__)
#define UNMAR_CUDA_FP32_ROW(name, Args, KERNEL) KERNEL(name, values, Args, 256, 0)
#define UNMAR_CUDA_BF16_ROW(name, Args, KERNEL) KERNEL(name##_bf16, bf16, Args, 256, 0)

/// All kernels: name, module, what it takes, threads of a block, bytes of shared memory set aside
/// at launch. A module is what the driver compiles at a time: a file of this folder.
#define UNMAR_CUDA_KERNELS(KERNEL)                                            \
  UNMAR_CUDA_VALUE_KERNELS(UNMAR_CUDA_FP32_ROW, KERNEL)                       \
  UNMAR_CUDA_VALUE_KERNELS(UNMAR_CUDA_BF16_ROW, KERNEL)                       \
  KERNEL(fill, base, Fill, 256, 0)                                            \
  KERNEL(to_channels_last, base, Reorder, 256, 0)                             \
  KERNEL(from_channels_last, base, Reorder, 256, 0)                           \
  KERNEL(put_seed, base, Seed, 1, 0)                                          \
  KERNEL(put_cotangent, base, Cotangent, 256, 0)                              \
  KERNEL(dropout, others, Noise, 256, 0)                                      \
  KERNEL(multiply, others, Binary, 256, 0)                                    \
  KERNEL(channel_dot, others, ChannelDot, 256, 0)                             \
  KERNEL(shuffle, others, Shuffle, 256, 0)                                    \
  KERNEL(shuffle_grad, others, Shuffle, 256, 0)                               \
  KERNEL(fold, others, Fold, 256, 0)                                          \
  KERNEL(fold_grad, others, Fold, 256, 0)                                     \
  KERNEL(filter, others, FilterArgs, 256, 0)                                  \
  KERNEL(filter_grad, others, FilterArgs, 256, 0)                             \
  KERNEL(time_embedding, others, TimeWaves, 256, 0)                           \
  KERNEL(time_embedding_grad, others, TimeWaves, 32, 0)                       \
  KERNEL(column_finish, base, ColumnFinish, 128, 0)                           \
  KERNEL(norm_finish, base, NormFinish, 128, 0)                               \
  KERNEL(norm_running, base, NormRunning, 256, 0)                             \
  KERNEL(norm_follow, base, NormFollow, 256, 0)                               \
  KERNEL(norm_grad_finish, base, NormGradFinish, 128, 0)                      \
  KERNEL(norm_grad_params, base, NormGradParams, 128, 0)                      \
  KERNEL(sums, base, Sums, 256, 0)                                            \
  KERNEL(sum_finish, base, SumFinish, 256, 0)                                 \
  KERNEL(difference_grad, base, DifferenceGrad, 256, 0)                       \
  KERNEL(variation, base, Variation, 256, 0)                                  \
  KERNEL(variation_grad, base, Variation, 256, 0)                             \
  KERNEL(scaled, others, Scaled, 1, 0)                                        \
  KERNEL(attention, others, AttentionArgs, 128, 0)                            \
  KERNEL(attention_grad_q, others, AttentionArgs, 128, 0)                     \
  KERNEL(attention_grad_kv, others, AttentionArgs, 128, 0)                    \
  KERNEL(prepare_fp32, fp32, Prepare, 256, 0)                                 \
  KERNEL(prepare_tf32, tf32, Prepare, 256, 0)                                 \
  KERNEL(prepare_bf16, bf16, Prepare, 256, 0)                                 \
  KERNEL(prepare_gradient_fp32, fp32, PrepareGradient, 256, 0)                \
  KERNEL(prepare_gradient_tf32, tf32, PrepareGradient, 256, 0)                \
  KERNEL(prepare_gradient_bf16, bf16, PrepareGradient, 256, 0)                \
  KERNEL(prepare_weights_fp32, fp32, PrepareWeights, 256, 0)                  \
  KERNEL(prepare_weights_tf32, tf32, PrepareWeights, 256, 0)                  \
  KERNEL(prepare_weights_bf16, bf16, PrepareWeights, 256, 0)                  \
  KERNEL(conv_fp32_32, fp32, ConvProduct, 128, cuda::rows_shared(32))         \
  KERNEL(conv_tf32_32, tf32, ConvProduct, 128, cuda::rows_shared(32))         \
  KERNEL(conv_tf32_128, tf32, ConvProduct, 128, cuda::rows_shared(128))       \
  KERNEL(conv_tf32_136, tf32, ConvProduct, 128, cuda::rows_shared(136))       \
  KERNEL(conv_bf16_32, bf16, ConvProduct, 128, cuda::rows_shared(32))         \
  KERNEL(conv_bf16_128, bf16, ConvProduct, 128, cuda::rows_shared(128))       \
  KERNEL(conv_bf16_136, bf16, ConvProduct, 128, cuda::rows_shared(136))       \
  KERNEL(weight_fp32_32, fp32, WeightProduct, 128, cuda::pixels_shared(32))   \
  KERNEL(weight_tf32_32, tf32, WeightProduct, 128, cuda::pixels_shared(32))   \
  KERNEL(weight_tf32_128, tf32, WeightProduct, 128, cuda::pixels_shared(128)) \
  KERNEL(weight_bf16_32, bf16, WeightProduct, 128, cuda::pixels_shared(32))   \
  KERNEL(weight_bf16_128, bf16, WeightProduct, 128, cuda::pixels_shared(128)) \
  KERNEL(adam, base, AdamArgs, 256, 0)                                        \
  KERNEL(report, base, Report, 1, 0)

}  // namespace unmar::cuda
