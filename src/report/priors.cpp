#include <nlohmann/json.hpp>

#include "report/frames.h"
#include "report/pictures.h"
#include "unmar/report/report.h"
#include "unmar/tasks/version.h"

namespace unmar {
namespace {

using Json = nlohmann::ordered_json;

constexpr float kErrorGain = 3.f;
constexpr int kPriorSide = 480;
constexpr std::size_t kPriorBytes = 150'000;

Json shown(const Image& image) {
  return report::data_uri(webp_within(image, kPriorSide, kPriorBytes, true));
}

Json result_of(const PriorResult& r, const Image& clean) {
  Json json = {{"name", r.name},
               {"needs", r.needs},
               {"iterations", r.iterations},
               {"evaluations", r.evaluations},
               {"macs", r.macs},
               {"seconds", r.seconds},
               {"cpu_seconds", r.cpu_seconds}};
  if (r.image.empty()) {
    json["why_not"] = r.why_not;
    return json;
  }
  json.update({{"psnr", r.psnr},
               {"ssim", r.ssim},
               {"edge_share", r.edge_share},
               {"detail", r.detail},
               {"picture", shown(r.image)},
               {"error", shown(report::difference(r.image, clean, kErrorGain))}});
  return json;
}

}  // namespace

std::string priors_json(const PriorsComparison& all, const std::string& input,
                        const std::string& damage, const std::string& command) {
  const Image& clean = all.picture.clean;
  Json results = Json::array();
  for (const PriorResult& r : all.results) results.push_back(result_of(r, clean));
  const Json json = {
      {"format", report::kFormat},
      {"unmar", version()},
      {"task", to_string(all.picture.task)},
      {"input", input},
      {"command", command},
      {"damage", damage},
      {"width", clean.width()},
      {"height", clean.height()},
      {"psnr_input", all.psnr_input},
      {"ssim_input", all.ssim_input},
      {"difference_gain", kErrorGain},
      {"clean", shown(clean)},
      {"damaged", shown(all.picture.damaged)},
      {"priors", results},
  };
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace unmar
