#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/data/safetensors.h"
#include "unmar/diffusion/diffusion.h"
#include "unmar/models/ddpm_unet.h"

/// Files of diffusion models, laid out as the Python library diffusers does.
namespace unmar {

/// Every parameter of the network, in the order that write_ddpm_unet() makes them, shaped as in
/// diffusers: "conv_in.weight" [128,3,3,3], "down_blocks.1.attentions.0.to_q.weight" [256,256], ...
std::vector<TensorSpec> unet_tensors(const DdpmUnetOptions& options);

/// Old files call the layers of attention query, key, value and proj_attn; today's names are to_q,
/// to_k, to_v and to_out.0. Other names stay as they are.
std::string current_attention_name(std::string_view name);
std::string old_attention_name(std::string_view name);

/// Renames to today's names, gives weights of linear layers their two sides (old files may have
/// [c,c,1,1]) and puts the tensors in the order of unet_tensors(): their values then are parameters
/// of the graph.
/// throws Error{bad_input} naming tensors that are missing, of no use or of another shape.
Weights fit_to_unet(Weights weights, const DdpmUnetOptions& options, const std::string& where);
/// Parameters of the network, as Trainer::averages() gives them, under their names.
/// throws Error{bad_argument} if there are more or fewer than the network has.
Weights unet_weights(const DdpmUnetOptions& options, std::vector<Tensor> params);

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
/// throws Error{bad_input} naming the key whose value will not do, Error{unsupported} for
/// schedulers of another process (flow matching, VE-SDE), other schedules, learned variances,
/// thresholding. `where` opens error texts, e.g. the file's name.
SchedulerConfig scheduler_config_from_json(std::string_view text, const std::string& where);
std::string scheduler_config_to_json(const SchedulerConfig& config);

struct DiffusersModel {
  DdpmUnetOptions unet;
  SchedulerConfig scheduler;
  Weights weights;
};
struct DiffusersFiles {
  std::filesystem::path config, scheduler, weights;
};
/// Where read_diffusers() finds them in a folder; they need not be there.
DiffusersFiles diffusers_files(const std::filesystem::path& folder);
/// Reads a folder with config.json, diffusion_pytorch_model.safetensors and scheduler_config.json,
/// or with these in its folders unet (or unet_ema) and scheduler, which may stand beside the
/// folder, too; weights may be *.fp16.safetensors. throws as the functions above; Error{io} naming
/// a file that is missing; Error{unsupported} for pipelines that do not draw pixels.
DiffusersModel read_diffusers(const std::filesystem::path& folder);
/// Writes these three files into a folder, which is made if it does not exist. Each file appears
/// complete or not at all, the weights last.
void write_diffusers(const std::filesystem::path& folder, const DiffusersModel& model,
                     WeightType type = WeightType::f32);

}  // namespace unmar
