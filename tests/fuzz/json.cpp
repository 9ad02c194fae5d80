#include "fuzz/fuzz.h"
#include "unmar/diffusion/weights.h"
#include "unmar/models/ddpm_unet.h"
#include "unmar/models/gan.h"
#include "unmar/models/models.h"

namespace unmar::fuzz {

std::vector<std::string> seeds() {
  std::vector<std::string> all = {
      ddpm_unet_to_json(ddpm_cifar10_unet()),
      scheduler_config_to_json({}),
      gan_to_json({}),
      R"({"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity})",
  };
  for (const std::string& name : network_names())
    all.push_back(network_to_json(default_network(name)));
  return all;
}

}  // namespace unmar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace unmar;
  const std::string_view text = fuzz::text_of(bytes, size);
  return fuzz::try_each([&] { network_from_json(text, "n"); },
                        [&] { unet_tensors(ddpm_unet_from_json(text, "c")); },
                        [&] { gan_from_json(text, "g"); },
                        [&] { NoiseSchedule(scheduler_config_from_json(text, "s").schedule); });
}
