#include <fmt/format.h>
#include <unmar/error.h>
#include <unmar/version.h>

#include <nlohmann/json.hpp>

#include "output_file.h"
#include "training.h"

namespace unmar::cli {
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

std::string to_json(const TrainingArguments& a, const DdpmUnetOptions& unet,
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
  // A file's name need not be UTF-8, but JSON is; such a name could not be found again.
  try {
    return json.dump(2) + "\n";
  } catch (const Json::type_error&) {
    throw Error(ErrorCode::bad_argument, "ddpm train: the name of IMAGES is not UTF-8; rename it");
  }
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
      throw Error(ErrorCode::unsupported, fmt::format("it is of format {}, this version reads {}",
                                                      json.at("format").dump(), kFormat));
    const Json& options = json.at("options");
    for_each_option(record.arguments,
                    [&](const char* name, auto& value) { options.at(name).get_to(value); });
    record.arguments.type = options.at("type") == "f16" ? WeightType::f16 : WeightType::f32;
    record.arguments.images = json.at("images").get<std::string>();
    record.arguments.output = file.parent_path();
    record.unet = ddpm_unet_from_json(json.at("unet").dump(), "its U-Net");
    record.pictures_sha256 = json.at("images_sha256");
    record.version = json.at("unmar");
  } catch (const std::exception& error) {
    throw damaged(error.what());
  }
  return record;
}

}  // namespace unmar::cli
