#pragma once

#include <memory>
#include <vector>

#include "engine/cpu/kernels.h"
#include "engine/cpu/step.h"

/// One factory per kind of step; conv.h has the convolutions.
namespace unmar::cpu {

/// A norm with the activation behind it, if any. `act.kind` none: the norm alone.
struct NormPlaces {
  Norm op;
  Act act;
  Place src, dst, d_dst;
  GradPlace d_src;
  ParamPlace gamma, beta;
  ParamPlace mean, var;  ///< running; of tracked and fixed statistics
  NormScales* scales;    ///< filled by forward; dst may be empty if all readers use these
};
std::unique_ptr<Step> make_norm(const NormPlaces& places);

/// src, dst and, for backward, d_dst and d_src; the last two may be empty.
struct UnaryPlaces {
  Place src, dst, d_dst;
  GradPlace d_src;
};
std::unique_ptr<Step> make_activation(const Act& act, const UnaryPlaces& places);
/// Resampling that is linear and separable: up-sampling, reduction, average pooling, crop, copy.
/// norm: what lies between the source and this step, which reads through it; may be nullptr.
std::unique_ptr<Step> make_linear(LinearMap rows, LinearMap cols, const UnaryPlaces& places,
                                  const NormScales* norm, const Act& act, Buffers& buffers,
                                  int threads);
std::unique_ptr<Step> make_filter(const Filter& op, const UnaryPlaces& places, Buffers& buffers,
                                  int threads);
std::unique_ptr<Step> make_max_pool(int factor, const UnaryPlaces& places, int threads);

/// In which order the channels of a source pixel fill its block of factor x factor pixels.
enum class BlockOrder { channels_first, channels_last };
struct ShuffleOptions {
  int factor;
  BlockOrder order;
  ParamPlace bias;  ///< one per channel of the result; may be empty
};
std::unique_ptr<Step> make_shuffle(const ShuffleOptions& options, const UnaryPlaces& places);

/// A transposed convolution's sum. Source pixels hold what each adds: [kernel][kernel][c of dst].
struct FoldOptions {
  int kernel, stride, padding;
  ParamPlace bias;  ///< one per channel of the result; may be empty
};
std::unique_ptr<Step> make_fold(const FoldOptions& options, const UnaryPlaces& places);

std::unique_ptr<Step> make_jitter(float sigma, std::uint64_t key, const UnaryPlaces& places);
std::unique_ptr<Step> make_dropout(float rate, std::uint64_t key, const UnaryPlaces& places);
std::unique_ptr<Step> make_time_embedding(const TimeEmbedding& op, const UnaryPlaces& places);

/// Nothing in forward; in backward, before the steps that read them, makes the values of `steps`
/// again.
std::unique_ptr<Step> make_recompute(std::vector<Step*> steps);

/// Nothing in forward. Where backward starts from `node` it puts the cotangent into its gradient;
/// where it starts from another node, and no reader of `node` writes the gradient, zeros.
std::unique_ptr<Step> make_cotangent(NodeId node, const GradPlace& grad);

struct BinaryPlaces {
  Place a, b, dst, d_dst;
  GradPlace d_a, d_b;
};
/// b may have one pixel. dst may be a's place, and d_a that of d_dst.
std::unique_ptr<Step> make_add(const BinaryPlaces& places);
std::unique_ptr<Step> make_multiply(const BinaryPlaces& places);
std::unique_ptr<Step> make_mse(const BinaryPlaces& places);
std::unique_ptr<Step> make_l1(const BinaryPlaces& places);
std::unique_ptr<Step> make_bce_with_logits(const BinaryPlaces& places);
std::unique_ptr<Step> make_total_variation(const TotalVariation& op, const UnaryPlaces& places);

struct AttentionPlaces {
  int heads;
  Place q, k, v, dst, d_dst;
  GradPlace d_q, d_k, d_v;
};
std::unique_ptr<Step> make_attention(const AttentionPlaces& places, Buffers& buffers, int threads);

struct SumPlaces {
  std::vector<float> weights;
  std::vector<Place> src;
  std::vector<GradPlace> d_src;
  Place dst, d_dst;
};
std::unique_ptr<Step> make_weighted_sum(const SumPlaces& places);

}  // namespace unmar::cpu
