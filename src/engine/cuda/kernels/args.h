#pragma once

/// What the kernels take: one plain struct each, the same for host, card and tests. All values are
/// channels-last: the channels of pixel p = (n * h + y) * w + x start at data + p * ld.
namespace unmar::cuda {

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
  const float* src;
  long long src_ld;
  float* dst;
  long long dst_ld;
  int c;
  unsigned count;
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
  const float* src;
  const float* d_dst;  ///< of the gradient
  float* dst;
  long long src_ld, d_dst_ld, dst_ld;
  int c;
  unsigned count;
  Act act;
  int accumulate;
};
struct Noise {
  const Pass* pass;
  unsigned long long key;
  const float* src;
  float* dst;
  long long src_ld, dst_ld;
  int c;
  unsigned count;
  float amount;  ///< sigma, or the rate of dropout
  int accumulate;
};
/// b has the channels of a and all pixels, one pixel per picture, or one channel.
struct Binary {
  const float* a;
  const float* b;
  float* dst;
  long long a_ld, b_ld, dst_ld;
  int c;
  unsigned count;
  unsigned b_pixels;  ///< above 0: b has one pixel for so many of a
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
  const float* src;
  const float* d_dst;
  float* dst;
  long long src_ld, d_dst_ld, dst_ld;
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
/// One dimension of a linear map, as LinearMap.
struct Taps {
  const int* begin;
  const int* index;
  const float* weight;
};
struct Resample {
  const float* src;
  Folded fold;
  float* dst;
  long long src_ld, dst_ld;
  Taps rows, cols;
  int h, w, dst_h, dst_w, c;
  unsigned count;
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
  const float* src;
  long long ld;
  int c;
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
  unsigned count;
  int accumulate;
};

struct NormMoments {
  const float* src;
  long long ld;
  int c;
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
};
struct NormApply {
  const float* src;
  float* dst;
  long long src_ld, dst_ld;
  Normed norm;
  int c;
  unsigned pixels, count;
};
struct NormGradSums {
  const float *src, *d_dst;
  long long src_ld, d_dst_ld;
  Normed norm;
  const float *cell_mean, *cell_rstd;
  int c;
  unsigned pixels, chunk;
  int chunks;
  float *sum, *sum_normal;  ///< [n][chunk][c]
};
struct NormGradFinish {
  const float *sum, *sum_normal, *gamma, *cell_rstd;
  int n, c, unit_n, unit_c;
  unsigned pixels;
  int chunks;
  float *offset, *slope;  ///< [n][c]
};
struct NormGradParams {
  const float *sum, *sum_normal;
  int n, c, chunks;
  float *d_gamma, *d_beta;
};
struct NormGradApply {
  const float *src, *d_dst;
  float* d_src;
  long long src_ld, d_dst_ld, d_src_ld;
  Normed norm;
  const float *cell_mean, *offset, *slope;
  int c;
  unsigned pixels, count;
  int accumulate;
};

enum SumKind { sum_square_differences, sum_absolute_differences, sum_squares };
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

struct ConvShape {
  int n, h, w, c;  ///< of the source
  int dst_h, dst_w, out_c;
  int kernel, stride, pad, reflect;
  int phases;  ///< of the source gradient, per direction: see DataProduct
};
/// out = a b as in conv.h. With splits > 1 each split of the sum goes to parts
/// [split][row][column].
struct ConvProduct {
  ConvShape shape;
  Folded fold;
  const float *a, *b;
  long long a_ld, b_ld;
  const float* bias;
  float* out;
  long long out_ld;
  float* parts;
  int splits;
  int wide_a, wide_b;  ///< rows can be read four floats at a time
  int accumulate;
};
struct SumParts {
  const float* parts;
  const float* bias;
  float* out;
  long long out_ld;
  int splits, columns;
  unsigned count;
  int accumulate;
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

/// All kernels: name, what it takes, threads of a block.
#define UNMAR_CUDA_KERNELS(KERNEL)              \
  KERNEL(fill, Fill, 256)                       \
  KERNEL(copy, Copy, 256)                       \
  KERNEL(to_channels_last, Reorder, 256)        \
  KERNEL(from_channels_last, Reorder, 256)      \
  KERNEL(put_seed, Seed, 1)                     \
  KERNEL(put_cotangent, Cotangent, 256)         \
  KERNEL(activation, Activate, 256)             \
  KERNEL(activation_grad, Activate, 256)        \
  KERNEL(jitter, Noise, 256)                    \
  KERNEL(dropout, Noise, 256)                   \
  KERNEL(add, Binary, 256)                      \
  KERNEL(multiply, Binary, 256)                 \
  KERNEL(channel_dot, ChannelDot, 256)          \
  KERNEL(max_pool, MaxPool, 256)                \
  KERNEL(max_pool_grad, MaxPool, 256)           \
  KERNEL(shuffle, Shuffle, 256)                 \
  KERNEL(shuffle_grad, Shuffle, 256)            \
  KERNEL(resample, Resample, 256)               \
  KERNEL(filter, FilterArgs, 256)               \
  KERNEL(filter_grad, FilterArgs, 256)          \
  KERNEL(time_embedding, TimeWaves, 256)        \
  KERNEL(time_embedding_grad, TimeWaves, 32)    \
  KERNEL(column_sums, ColumnSums, 256)          \
  KERNEL(column_finish, ColumnFinish, 256)      \
  KERNEL(norm_moments, NormMoments, 256)        \
  KERNEL(norm_finish, NormFinish, 128)          \
  KERNEL(norm_apply, NormApply, 256)            \
  KERNEL(norm_grad_sums, NormGradSums, 256)     \
  KERNEL(norm_grad_finish, NormGradFinish, 128) \
  KERNEL(norm_grad_params, NormGradParams, 128) \
  KERNEL(norm_grad_apply, NormGradApply, 256)   \
  KERNEL(sums, Sums, 256)                       \
  KERNEL(sum_finish, SumFinish, 256)            \
  KERNEL(difference_grad, DifferenceGrad, 256)  \
  KERNEL(variation, Variation, 256)             \
  KERNEL(variation_grad, Variation, 256)        \
  KERNEL(scaled, Scaled, 1)                     \
  KERNEL(attention, AttentionArgs, 128)         \
  KERNEL(attention_grad_q, AttentionArgs, 128)  \
  KERNEL(attention_grad_kv, AttentionArgs, 128) \
  KERNEL(conv_forward_tf32, ConvProduct, 128)   \
  KERNEL(conv_forward_fp32, ConvProduct, 128)   \
  KERNEL(conv_data_tf32, ConvProduct, 128)      \
  KERNEL(conv_data_fp32, ConvProduct, 128)      \
  KERNEL(conv_weight_tf32, ConvProduct, 128)    \
  KERNEL(conv_weight_fp32, ConvProduct, 128)    \
  KERNEL(sum_parts, SumParts, 256)              \
  KERNEL(adam, AdamArgs, 256)                   \
  KERNEL(report, Report, 1)

}  // namespace unmar::cuda
