#include <algorithm>
#include <system_error>
#include <vector>

#include "base/fail.h"
#include "data/input_file.h"
#include "diffusion/json_fields.h"
#include "diffusion/python_json.h"
#include "unmar/base/files.h"
#include "unmar/diffusion/weights.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestConfig = 1 << 20;
constexpr const char* kConfig = "config.json";
constexpr const char* kScheduler = "scheduler_config.json";
constexpr const char* kWeights = "diffusion_pytorch_model.safetensors";
constexpr const char* kShards = "diffusion_pytorch_model.safetensors.index.json";
constexpr const char* kPickle = "diffusion_pytorch_model.bin";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Weights that are stored in another precision, or are others of several, have that in their name:
/// *.fp16.safetensors.
fs::path weights_in(const fs::path& folder) {
  constexpr std::string_view kStem = "diffusion_pytorch_model.", kType = ".safetensors";
  for (const char* usual :
       {kWeights, "diffusion_pytorch_model.fp32.safetensors",
        "diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.bf16.safetensors"})
    if (is_there(folder / usual)) return folder / usual;
  std::vector<fs::path> others;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kStem) && name.ends_with(kType)) others.push_back(entry.path());
  }
  return others.empty() ? folder / kWeights : *std::ranges::min_element(others);
}

/// The folder itself, or within what diffusers' pipelines and its training script write.
fs::path network_folder(const fs::path& folder) {
  for (const char* sub : {"", "unet", "unet_ema"}) {
    const fs::path network = *sub ? folder / sub : folder;
    if (is_there(network / kConfig) || is_there(weights_in(network)) || is_there(network / kPickle))
      return network;
  }
  return folder;
}

/// Of a network's own folder the scheduler stands beside it.
fs::path scheduler_of(const fs::path& folder) {
  std::error_code error;
  const fs::path around = fs::weakly_canonical(folder, error).parent_path();
  for (const fs::path& place :
       {folder, folder / "scheduler", around / "scheduler", around / ".." / "scheduler", around})
    if (is_there(place / kScheduler)) return place / kScheduler;
  return folder / kScheduler;
}

std::string read_config(const fs::path& path) {
  return diffusion::plain_json(data::read_text("read_diffusers", path, kLargestConfig));
}

/// A pipeline whose network works on what a VAE makes of pictures draws no pictures.
void require_pictures(const fs::path& folder) {
  const fs::path index = folder / "model_index.json";
  if (!is_there(index)) return;
  const diffusion::JsonFields fields(read_config(index),
                                     fmt::format("read_diffusers: '{}'", index.string()));
  for (const char* part : {"vae", "vqvae", "text_encoder", "transformer"})
    if (fields.find(part))
      fail(ErrorCode::unsupported,
           "{}: the pipeline has a {}, so its network does not draw pixels from noise alone; only "
           "pipelines of a U-Net and a scheduler are run here",
           fields.where(), part);
}

}  // namespace

DiffusersFiles diffusers_files(const fs::path& folder) {
  const fs::path network = network_folder(folder);
  return {.config = network / kConfig,
          .scheduler = scheduler_of(folder),
          .weights = weights_in(network)};
}

DiffusersModel read_diffusers(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    fail(ErrorCode::io, "read_diffusers: '{}' is not a folder", folder.string());
  const auto where = [](const fs::path& path) {
    return fmt::format("read_diffusers: '{}'", path.string());
  };
  require_pictures(folder);
  const auto [config, scheduler, weights] = diffusers_files(folder);
  if (!is_there(weights) && is_there(weights.parent_path() / kPickle))
    fail(ErrorCode::unsupported,
         "read_diffusers: '{}' has its weights as a PyTorch pickle ({}), which may run code; "
         "convert them to {}",
         folder.string(), kPickle, kWeights);
  if (!is_there(weights) && is_there(weights.parent_path() / kShards))
    fail(ErrorCode::unsupported,
         "read_diffusers: '{}' has its weights in several files ({}); save them as one",
         folder.string(), kShards);
  DiffusersModel model;
  model.unet = ddpm_unet_from_json(read_config(config), where(config));
  model.scheduler = scheduler_config_from_json(read_config(scheduler), where(scheduler));
  model.weights = fit_to_unet(read_safetensors(weights), model.unet, where(weights));
  return model;
}

void write_diffusers(const fs::path& folder, const DiffusersModel& model, WeightType type) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    fail(ErrorCode::io, "write_diffusers: cannot make the folder '{}': {}", folder.string(),
         error.message());
  write_text(folder / kConfig, ddpm_unet_to_json(model.unet) + "\n", "write_diffusers");
  write_text(folder / kScheduler, scheduler_config_to_json(model.scheduler), "write_diffusers");
  write_safetensors(folder / kWeights, model.weights, type);
}

}  // namespace unmar
