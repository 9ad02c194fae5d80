#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/diffusion.h"

/// Weights of diffusion models in files, laid out as the Python library diffusers does.
namespace unmar {

struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> shape;  ///< as in the file, at most four sides
  /// [a,b,c,d] is as it is; [a,b] becomes [a,b,1,1], [a,b,c] [a,b,c,1] and [a] [1,a,1,1], as
  /// Graph::params() has weights of 1x1 convolutions and biases.
  Tensor values;
};
struct Weights {
  std::vector<NamedTensor> tensors;  ///< in the order of the file's bytes
  std::map<std::string, std::string> metadata;
  std::size_t not_finite = 0;  ///< NaN and infinite numbers read; not an error by itself

  const NamedTensor* find(std::string_view name) const;  ///< null: none
  std::size_t count() const;                             ///< numbers in all tensors
};

/// Reads a safetensors file of F32, F16 and BF16 tensors. Memory: 4 bytes a number.
/// throws Error{io} if the file cannot be read, Error{bad_input} if it is not what it says: a
/// header beyond the file or above 16 MiB, broken JSON, names or keys twice, tensors that overlap,
/// leave holes or reach beyond the file, a size that is not that of the shape; Error{unsupported}
/// for other types and more than four sides.
Weights read_safetensors(const std::filesystem::path& path);
/// Writes F32. The file appears complete or not at all.
/// throws Error{bad_argument} for a name twice, a reserved or not UTF-8 one, or a shape that is not
/// that of the values; Error{io} if it cannot be written.
void write_safetensors(const std::filesystem::path& path, const Weights& weights);

/// A U-Net as `config.json` of diffusers' UNet2DModel has it: the same names, and the defaults of a
/// missing key. Ho et al.'s networks have freq_shift 1, flip_sin_to_cos false, downsample_padding
/// 0, norm_eps 1e-6 and one attention head.
struct UNet2DConfig {
  int sample_size = 0;  ///< side of the pictures it was trained on; 0: not told
  int in_channels = 3, out_channels = 3;
  bool flip_sin_to_cos = true;  ///< cosines first
  double freq_shift = 0;
  std::vector<int> block_out_channels = {224, 448, 672, 896};    ///< one per level, finest first
  std::vector<bool> down_attention = {false, true, true, true};  ///< AttnDownBlock2D
  std::vector<bool> up_attention = {true, true, true, false};    ///< AttnUpBlock2D, coarsest first
  int layers_per_block = 2;
  int downsample_padding = 1;  ///< 0: one row and column of zeros at the end instead
  double dropout = 0;
  std::optional<int> attention_head_dim = 8;  ///< channels of a head; none: one head
  int norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool mid_attention = true;  ///< add_attention; null for false

  bool operator==(const UNet2DConfig&) const = default;
};
/// throws Error{bad_input} naming the key whose value will not do, Error{unsupported} for what only
/// other U-Nets have: class labels, other activations, scale and shift from the time, and so on.
/// `where` opens error texts, e.g. the file's name.
UNet2DConfig unet_config_from_json(std::string_view text, const std::string& where);
std::string unet_config_to_json(const UNet2DConfig& config);

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  bool operator==(const TensorSpec&) const = default;
};
/// Every parameter of the network under its name in diffusers: "conv_in.weight" [128,3,3,3],
/// "down_blocks.1.attentions.0.to_q.weight" [256,256], ...
std::vector<TensorSpec> unet_tensors(const UNet2DConfig& config);

/// Old files call the layers of attention query, key, value and proj_attn; today's names are to_q,
/// to_k, to_v and to_out.0. Other names stay as they are.
std::string current_attention_name(std::string_view name);
std::string old_attention_name(std::string_view name);

/// Renames to today's names, gives weights of linear layers their two sides (old files may have
/// [c,c,1,1]) and puts the tensors in the order of unet_tensors().
/// throws Error{bad_input} naming tensors that are missing, of no use or of another shape.
Weights fit_to_unet(Weights weights, const UNet2DConfig& config, const std::string& where);

/// `scheduler_config.json`: how the model was trained and is sampled.
struct SchedulerConfig {
  ScheduleOptions schedule;
  Prediction prediction = Prediction::epsilon;
  DdpmVariance variance = DdpmVariance::fixed_small;
  bool clip_sample = true;
  bool set_alpha_to_one = true;  ///< SampleOptions::end_without_noise
  Spacing timestep_spacing = Spacing::leading;
  int steps_offset = 0;
};
/// throws as unet_config_from_json; Error{unsupported} for other schedules, learned variances,
/// thresholding.
SchedulerConfig scheduler_config_from_json(std::string_view text, const std::string& where);
std::string scheduler_config_to_json(const SchedulerConfig& config);

struct DiffusersModel {
  UNet2DConfig unet;
  SchedulerConfig scheduler;
  Weights weights;
};
/// Reads a folder with config.json, diffusion_pytorch_model.safetensors and scheduler_config.json,
/// or with these in its folders unet and scheduler. throws as the functions above; Error{io} naming
/// a file that is missing.
DiffusersModel read_diffusers(const std::filesystem::path& folder);
/// Writes these three files into a folder, which is made if it does not exist. Each file appears
/// complete or not at all, the weights last.
void write_diffusers(const std::filesystem::path& folder, const DiffusersModel& model);

}  // namespace unmar
