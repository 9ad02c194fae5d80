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

constexpr int kFormat = 1;  ///< of training.json and of the checkpoint

/// Each option that is kept, once: for writing and for reading.
template <class Arguments, class Visit>
void for_each_option(Arguments& a, Visit visit) {
  visit("size", a.size);
  visit("gray", a.gray);
  visit("flip", a.flip);
  visit("schedule", a.schedule);
  visit("prediction", a.prediction);
  visit("iterations", a.iterations);
  visit("batch", a.batch);
  visit("lr", a.lr);
  visit("ema", a.ema);
  visit("clip", a.clip);
  visit("warm_up", a.warm_up);
  visit("seed", a.seed);
  visit("samples", a.samples);
  visit("engine", a.engine);
  visit("checkpoint_every", a.checkpoint_every);
}

}  // namespace

std::string to_json(const TrainingRequest& a, const DdpmUnetOptions& unet,
                    const std::string& pictures_sha256) {
  Json options;
  for_each_option(a, [&](const char* name, const auto& value) { options[name] = value; });
  options["type"] = a.type == WeightType::f16 ? "f16" : "f32";
  const Json json = {
      {"format", kFormat},
      {"unmar", version()},
      {"images", fs::absolute(a.images).string()},
      {"images_sha256", pictures_sha256},
      {"options", options},
      {"unet", Json::parse(ddpm_unet_to_json(unet))},
  };
  return dumped(json, "ddpm train");
}

TrainingRecord read_training_record(const fs::path& file) {
  const Json json = Json::parse(read_text(file, "--resume"), nullptr, false);
  const auto damaged = [&](const std::string& why) {
    return Error(ErrorCode::bad_input,
                 fmt::format("--resume: '{}' is damaged: {}", file.string(), why));
  };
  if (!json.is_object()) throw damaged("it is no JSON object");
  TrainingRecord record;
  try {
    if (json.at("format") != kFormat)
      fail(ErrorCode::unsupported, "it is of format {}, this version reads {}",
           json.at("format").dump(), kFormat);
    const Json& options = json.at("options");
    for_each_option(record.request,
                    [&](const char* name, auto& value) { options.at(name).get_to(value); });
    record.request.type = options.at("type") == "f16" ? WeightType::f16 : WeightType::f32;
    record.request.images = json.at("images").get<std::string>();
    record.request.output = file.parent_path();
    record.unet = ddpm_unet_from_json(json.at("unet").dump(), "its U-Net");
    record.pictures_sha256 = json.at("images_sha256");
    record.version = json.at("unmar");
  } catch (const std::exception& error) {
    throw damaged(error.what());
  }
  return record;
}

}  // namespace unmar::runs
