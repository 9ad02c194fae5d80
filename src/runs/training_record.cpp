#include <new>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "runs/json.h"
#include "runs/training.h"
#include "unmar/base/files.h"
#include "unmar/tasks/version.h"

namespace unmar::runs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kFormat = 2;  ///< of training.json and of the checkpoint

}  // namespace

std::string to_json(const TrainingRequest& a, const DdpmUnetOptions& unet,
                    const std::string& pictures_sha256) {
  const Json json = {
      {"format", kFormat},
      {"unmar", version()},
      {"images", fs::absolute(a.images).string()},
      {"images_sha256", pictures_sha256},
      {"options", to_json(training_options(), a)},
      {"unet", Json::parse(ddpm_unet_to_json(unet))},
  };
  return dumped(json, "ddpm train");
}

TrainingRecord read_training_record(const fs::path& file) {
  const Json json = Json::parse(read_text(file, "`resume`"), nullptr, false);
  const auto damaged = [&](const std::string& why) {
    return Error(ErrorCode::bad_input,
                 fmt::format("`resume`: '{}' is damaged: {}", file.string(), why));
  };
  if (!json.is_object()) throw damaged("it is no JSON object");
  TrainingRecord record;
  try {
    if (json.at("format") != kFormat)
      fail(ErrorCode::unsupported, "it is of format {}, this version reads {}",
           json.at("format").dump(), kFormat);
    from_json(json.at("options"), training_options(), record.request, "its options");
    record.request.images = json.at("images").get<std::string>();
    record.request.output = file.parent_path();
    record.unet = ddpm_unet_from_json(json.at("unet").dump(), "its U-Net");
    record.pictures_sha256 = json.at("images_sha256");
    record.version = json.at("unmar");
  } catch (const std::bad_alloc&) {
    throw;  // says nothing of the file
  } catch (const std::exception& error) {
    throw damaged(error.what());
  }
  return record;
}

}  // namespace unmar::runs
