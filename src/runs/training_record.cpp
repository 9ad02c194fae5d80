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

constexpr int kTrainingFormat = 2;  ///< of training.json and of the checkpoint

/// A record of the other kind of model.
struct WrongKind {
  std::string text;
};

template <class Request>
Json head_of(const Request& a, const std::vector<Option<Request>>& table,
             const std::string& pictures_sha256) {
  return {{"format", kTrainingFormat},
          {"unmar", version()},
          {"images", fs::absolute(a.images).string()},
          {"images_sha256", pictures_sha256},
          {"options", to_json(table, a)}};
}

/// What both kinds of training say; `more` reads the rest.
template <class Record, class Table, class More>
Record read_training(const fs::path& file, const std::string& kind, const Table& table,
                     const More& more) {
  const Json json = Json::parse(read_text(file, "`resume`"), nullptr, false);
  const auto damaged = [&](const std::string& why) {
    return Error(ErrorCode::bad_input,
                 fmt::format("`resume`: '{}' is damaged: {}", file.string(), why));
  };
  if (!json.is_object()) throw damaged("it is no JSON object");
  Record record;
  try {
    if (json.at("format") != kTrainingFormat)
      fail(ErrorCode::unsupported, "it is of format {}, this version reads {}",
           json.at("format").dump(), kTrainingFormat);
    const std::string is = json.value("kind", "ddpm");
    if (is != kind && (is == "gan" || is == "ddpm")) {
      throw WrongKind{fmt::format(
          "`resume`: '{}' is the training of a {}; 'unmar {} train --resume' goes on with it",
          file.parent_path().string(), is == "gan" ? "GAN" : "diffusion model", is)};
    }
    from_json(json.at("options"), table, record.request, "its options");
    record.request.images = json.at("images").template get<std::string>();
    record.request.output = file.parent_path();
    more(json, record);
    record.pictures_sha256 = json.at("images_sha256");
    record.version = json.at("unmar");
  } catch (const std::bad_alloc&) {
    throw;  // says nothing of the file
  } catch (const WrongKind& wrong) {
    throw Error(ErrorCode::bad_argument, wrong.text);
  } catch (const std::exception& error) {
    throw damaged(error.what());
  }
  return record;
}

}  // namespace

std::string to_json(const TrainingRequest& a, const DdpmUnetOptions& unet,
                    const std::string& pictures_sha256) {
  Json json = head_of(a, training_options(), pictures_sha256);
  json["unet"] = Json::parse(ddpm_unet_to_json(unet));
  return dumped(json, "ddpm train");
}

TrainingRecord read_training_record(const fs::path& file) {
  return read_training<TrainingRecord>(
      file, "ddpm", training_options(), [](const Json& json, TrainingRecord& record) {
        record.unet = ddpm_unet_from_json(json.at("unet").dump(), "its U-Net");
      });
}

std::string to_json(const GanTrainingRequest& a, const std::string& pictures_sha256) {
  Json json = head_of(a, gan_training_options(), pictures_sha256);
  json["kind"] = "gan";
  return dumped(json, "gan train");
}

GanTrainingRecord read_gan_training_record(const fs::path& file) {
  return read_training<GanTrainingRecord>(file, "gan", gan_training_options(),
                                          [](const Json&, GanTrainingRecord&) {});
}

}  // namespace unmar::runs
