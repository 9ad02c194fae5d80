#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/graph/graph.h"

/// The network that predicts the noise in a picture: the U-Net of Ho et al., "Denoising Diffusion
/// Probabilistic Models", NeurIPS 2020.
namespace unmar {

/// What a level is made of: residual blocks alone, or each with attention behind it.
enum class DdpmBlock { resnet, attention };

/// Names and defaults are those of the config.json of diffusers' UNet2DModel, so that a file says
/// what it says there. Vectors have one entry per level: down from the finest on, up from the
/// coarsest on.
struct DdpmUnetOptions {
  int sample_size = 0;  ///< of the pictures it is for, 0: not said; it is not looked at here
  int in_channels = 3, out_channels = 3;
  bool center_input_sample = false;  ///< the sample is in [0, 1]: 2 x - 1 first
  bool flip_sin_to_cos = true;       ///< of TimeEmbedding
  float freq_shift = 0.f;            ///< of TimeEmbedding
  std::vector<DdpmBlock> down_block_types = {DdpmBlock::resnet, DdpmBlock::attention,
                                             DdpmBlock::attention, DdpmBlock::attention};
  std::vector<DdpmBlock> up_block_types = {DdpmBlock::attention, DdpmBlock::attention,
                                           DdpmBlock::attention, DdpmBlock::resnet};
  std::vector<int> block_out_channels = {224, 448, 672, 896};
  int layers_per_block = 2;    ///< residual blocks of a level going down; going up one more
  int downsample_padding = 1;  ///< 1: on all sides; 0: Conv2d::pad_end
  float dropout = 0.f;         ///< in front of the second convolution of each residual block
  ActivationKind act_fn = ActivationKind::silu;
  std::optional<int> attention_head_dim = 8;  ///< channels of a head; none: one head of all
  int norm_num_groups = 32;
  std::optional<int> attn_norm_num_groups = {};  ///< in the middle; none: norm_num_groups
  float norm_eps = 1e-5f;
  bool add_attention = true;  ///< in the middle
};

/// The two networks of the paper: 32x32 colour (35.7 M parameters), 256x256 colour (113.7 M).
DdpmUnetOptions ddpm_cifar10_unet();
DdpmUnetOptions ddpm_256_unet();

/// Writes the network over sample [n,in_channels,h,w] and timesteps [n,1,1,1], which are from 0 to
/// 999 in training; returns the noise it predicts, [n,out_channels,h,w]. h and w are multiples of
/// 2^(levels - 1). Parameters have diffusers' names, e.g. "down_blocks.0.resnets.1.norm1.weight";
/// those of its linear layers are 1x1 convolutions here, [out,in,1,1]. They start as in the paper's
/// code: uniform with variance 2 / (fan-in + fan-out); 0 for what ends a residual branch, for the
/// last convolution and for biases.
/// throws Error{bad_argument} if the options contradict each other or the sources do not suit them.
NodeId write_ddpm_unet(Graph& graph, NodeId sample, NodeId timesteps,
                       const DdpmUnetOptions& options);

/// A config.json. `where` opens error texts, e.g. a file name. Keys that are absent have diffusers'
/// defaults; "_class_name" and the like are passed over.
/// throws Error{bad_argument} naming the key that is unknown, has a value that will not do, or asks
/// for a variant that is not built here.
DdpmUnetOptions ddpm_unet_from_json(std::string_view text, const std::string& where);
std::string ddpm_unet_to_json(const DdpmUnetOptions& options);

}  // namespace unmar
