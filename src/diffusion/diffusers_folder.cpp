#include <system_error>

#include "base/fail.h"
#include "diffusion/input_file.h"
#include "unmar/base/files.h"
#include "unmar/diffusion/weights.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestConfig = 1 << 20;
constexpr const char* kConfig = "config.json";
constexpr const char* kScheduler = "scheduler_config.json";
constexpr const char* kWeights = "diffusion_pytorch_model.safetensors";
constexpr const char* kPickle = "diffusion_pytorch_model.bin";

/// folder/name, or folder/sub/name if only that exists.
fs::path find(const fs::path& folder, const char* sub, const char* name) {
  std::error_code ignored;
  const fs::path nested = folder / sub / name;
  if (!fs::exists(folder / name, ignored) && fs::exists(nested, ignored)) return nested;
  return folder / name;
}

std::string read_config(const fs::path& path) {
  return diffusion::read_text("read_diffusers", path, kLargestConfig);
}

}  // namespace

DiffusersFiles diffusers_files(const fs::path& folder) {
  return {.config = find(folder, "unet", kConfig),
          .scheduler = find(folder, "scheduler", kScheduler),
          .weights = find(folder, "unet", kWeights)};
}

DiffusersModel read_diffusers(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    fail(ErrorCode::io, "read_diffusers: '{}' is not a folder", folder.string());
  const auto where = [](const fs::path& path) {
    return fmt::format("read_diffusers: '{}'", path.string());
  };
  const auto [config, scheduler, weights] = diffusers_files(folder);
  if (!fs::exists(weights, ignored) && fs::exists(find(folder, "unet", kPickle), ignored))
    fail(ErrorCode::unsupported,
         "read_diffusers: '{}' has its weights as a PyTorch pickle ({}), which may run code; "
         "convert them to {}",
         folder.string(), kPickle, kWeights);
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
