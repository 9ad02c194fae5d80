#include "unmar/data/safetensors.h"
#include "fuzz/fuzz.h"
#include "tiny_model.h"

namespace unmar::fuzz {

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  Weights few;
  few.tensors.push_back({"a", {2, 3}, Tensor({2, 3, 1, 1}, 0.5f)});
  few.tensors.push_back({"b.weight", {4}, Tensor({1, 4, 1, 1}, -1.f)});
  few.metadata["format"] = "pt";
  const auto path = file_of(nullptr, 0, "seed.safetensors");
  for (const WeightType type : {WeightType::f32, WeightType::f16}) {
    write_safetensors(path, few, type);
    all.push_back(contents(path));
  }
  write_safetensors(path, test::tiny_model().weights);
  all.push_back(contents(path));
  return all;
}

}  // namespace unmar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace unmar;
  const auto path = fuzz::file_of(bytes, size);
  static const DdpmUnetOptions unet = test::tiny_model().unet;
  return fuzz::try_each([&] { fit_to_unet(read_safetensors(path), unet, "w"); });
}
