#pragma once

#include "engine/cuda/kernels/sums.h"

/// Attention without its matrix of weights: a block has one row of it, blockIdx.x of head
/// blockIdx.y of picture blockIdx.z, and walks along it in pieces.
namespace unmar::cuda {

constexpr int kPiece = 512;          // pixels of a piece
constexpr int kMostChannels = 1024;  // of a head

struct AttentionTile {
  float weight[kPiece], other[kPiece];
  float own[kMostChannels], own_other[kMostChannels];  ///< of this block's pixel
  float sum[kMostChannels], sum_other[kMostChannels];
  Tree<float, 128> tree;
};

/// The pixels and channels of one head of one picture.
struct Head {
  unsigned long long first;  ///< pixel
  int channel;               ///< its first one
  unsigned long long row;    ///< of log_sum and dot: that of its first pixel
};
UNMAR_DEVICE Head head_of_block(const AttentionArgs& a) {
  const unsigned long long pixels = static_cast<unsigned>(a.pixels);
  return {
      blockIdx.z * pixels, static_cast<int>(blockIdx.y) * a.channels,
      (static_cast<unsigned long long>(blockIdx.z) * static_cast<unsigned>(a.heads) + blockIdx.y) *
          pixels};
}
UNMAR_DEVICE const float* pixel_of(const float* data, long long ld, const Head& head, int pixel) {
  return data + (head.first + static_cast<unsigned>(pixel)) * static_cast<unsigned long long>(ld) +
         head.channel;
}
UNMAR_DEVICE float dot(const float* a, const float* b, int count) {
  float sum = 0.f;
  for (int c = 0; c < count; ++c) sum += a[c] * b[c];
  return sum;
}
UNMAR_DEVICE float largest_of_block(Tree<float, 128>& tree, float value) {
  const unsigned t = threadIdx.x;
  __syncthreads();
  tree.value[t] = value;
  __syncthreads();
  for (unsigned half = 64; half > 0; half /= 2) {
    if (t < half && tree.value[t + half] > tree.value[t]) tree.value[t] = tree.value[t + half];
    __syncthreads();
  }
  return tree.value[0];
}

UNMAR_KERNEL(attention, AttentionArgs, 128) {
  UNMAR_SHARED(AttentionTile, tile);
  const Head head = head_of_block(a);
  const int t = static_cast<int>(threadIdx.x), i = static_cast<int>(blockIdx.x);
  const float* q = pixel_of(a.q, a.q_ld, head, i);
  for (int c = t; c < a.channels; c += 128) {
    tile.own[c] = q[c] * a.scale;
    tile.sum[c] = 0.f;
  }
  __syncthreads();
  float largest = -3.4e38f, total = 0.f;
  for (int first = 0; first < a.pixels; first += kPiece) {
    const int count = a.pixels - first < kPiece ? a.pixels - first : kPiece;
    float most = -3.4e38f;
    for (int j = t; j < count; j += 128) {
      const float s = dot(tile.own, pixel_of(a.k, a.k_ld, head, first + j), a.channels);
      tile.weight[j] = s;
      most = s > most ? s : most;
    }
    most = largest_of_block(tile.tree, most);
    const float now = most > largest ? most : largest, shrink = exponential(largest - now);
    largest = now;
    float sum = 0.f;
    for (int j = t; j < count; j += 128) {
      const float w = exponential(tile.weight[j] - largest);
      tile.weight[j] = w;
      sum += w;
    }
    total = total * shrink + sum_of_block(tile.tree, sum);
    for (int c = t; c < a.channels; c += 128) {
      float mix = tile.sum[c] * shrink;
      for (int j = 0; j < count; ++j)
        mix += tile.weight[j] * pixel_of(a.v, a.v_ld, head, first + j)[c];
      tile.sum[c] = mix;
    }
    __syncthreads();  // the weights of the next piece take the place of these
  }
  float* out = a.out +
               (head.first + static_cast<unsigned>(i)) * static_cast<unsigned long long>(a.out_ld) +
               head.channel;
  for (int c = t; c < a.channels; c += 128) out[c] = tile.sum[c] / total;
  if (t == 0) a.log_sum[head.row + static_cast<unsigned>(i)] = largest + logarithm(total);
}

/// d_q of pixel blockIdx.x; also the sum of dst * d_dst, which the other gradients need.
UNMAR_KERNEL(attention_grad_q, AttentionArgs, 128) {
  UNMAR_SHARED(AttentionTile, tile);
  const Head head = head_of_block(a);
  const int t = static_cast<int>(threadIdx.x), i = static_cast<int>(blockIdx.x);
  const float* q = pixel_of(a.q, a.q_ld, head, i);
  const float* d = pixel_of(a.d_dst, a.d_dst_ld, head, i);
  const float* dst = pixel_of(a.dst, a.dst_ld, head, i);
  float product = 0.f;
  for (int c = t; c < a.channels; c += 128) {
    tile.own[c] = q[c] * a.scale;
    tile.own_other[c] = d[c];
    tile.sum[c] = 0.f;
    product += dst[c] * d[c];
  }
  const float mean = sum_of_block(tile.tree, product);
  const unsigned long long row = head.row + static_cast<unsigned>(i);
  if (t == 0) a.dot[row] = mean;
  const float log_sum = a.log_sum[row];
  for (int first = 0; first < a.pixels; first += kPiece) {
    const int count = a.pixels - first < kPiece ? a.pixels - first : kPiece;
    for (int j = t; j < count; j += 128) {
      const float s = dot(tile.own, pixel_of(a.k, a.k_ld, head, first + j), a.channels);
      const float dw = dot(tile.own_other, pixel_of(a.v, a.v_ld, head, first + j), a.channels);
      tile.weight[j] = exponential(s - log_sum) * (dw - mean) * a.scale;
    }
    __syncthreads();
    for (int c = t; c < a.channels; c += 128)
      for (int j = 0; j < count; ++j)
        tile.sum[c] += tile.weight[j] * pixel_of(a.k, a.k_ld, head, first + j)[c];
    __syncthreads();
  }
  if (!a.d_q) return;
  float* out = a.d_q +
               (head.first + static_cast<unsigned>(i)) * static_cast<unsigned long long>(a.d_q_ld) +
               head.channel;
  for (int c = t; c < a.channels; c += 128) put(out + c, tile.sum[c], a.add_q);
}

/// d_k and d_v of pixel blockIdx.x, after attention_grad_q.
UNMAR_KERNEL(attention_grad_kv, AttentionArgs, 128) {
  UNMAR_SHARED(AttentionTile, tile);
  const Head head = head_of_block(a);
  const int t = static_cast<int>(threadIdx.x), j = static_cast<int>(blockIdx.x);
  const float* k = pixel_of(a.k, a.k_ld, head, j);
  const float* v = pixel_of(a.v, a.v_ld, head, j);
  for (int c = t; c < a.channels; c += 128) {
    tile.own[c] = k[c] * a.scale;
    tile.own_other[c] = v[c];
    tile.sum[c] = 0.f;
    tile.sum_other[c] = 0.f;
  }
  __syncthreads();
  for (int first = 0; first < a.pixels; first += kPiece) {
    const int count = a.pixels - first < kPiece ? a.pixels - first : kPiece;
    for (int i = t; i < count; i += 128) {
      const unsigned long long row = head.row + static_cast<unsigned>(first + i);
      const float s = dot(tile.own, pixel_of(a.q, a.q_ld, head, first + i), a.channels);
      const float dw =
          dot(tile.own_other, pixel_of(a.d_dst, a.d_dst_ld, head, first + i), a.channels);
      const float w = exponential(s - a.log_sum[row]);
      tile.weight[i] = w;
      tile.other[i] = w * (dw - a.dot[row]) * a.scale;
    }
    __syncthreads();
    for (int c = t; c < a.channels; c += 128)
      for (int i = 0; i < count; ++i) {
        tile.sum[c] += tile.other[i] * pixel_of(a.q, a.q_ld, head, first + i)[c];
        tile.sum_other[c] += tile.weight[i] * pixel_of(a.d_dst, a.d_dst_ld, head, first + i)[c];
      }
    __syncthreads();
  }
  const unsigned long long pixel = head.first + static_cast<unsigned>(j);
  for (int c = t; c < a.channels; c += 128) {
    if (a.d_k)
      put(a.d_k + pixel * static_cast<unsigned long long>(a.d_k_ld) + head.channel + c, tile.sum[c],
          a.add_k);
    if (a.d_v)
      put(a.d_v + pixel * static_cast<unsigned long long>(a.d_v_ld) + head.channel + c,
          tile.sum_other[c], a.add_v);
  }
}

}  // namespace unmar::cuda
