#include "models/golden_fixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace unmar::test {
namespace {

using Json = nlohmann::json;

Tensor read_tensor(std::ifstream& blob, const Json& entry) {
  const auto shape = entry.at("shape").get<std::vector<int>>();
  Tensor tensor(Shape{shape.at(0), shape.at(1), shape.at(2), shape.at(3)});
  const std::size_t bytes = tensor.count() * sizeof(float);
  blob.seekg(static_cast<std::streamoff>(entry.at("offset").get<std::size_t>() * sizeof(float)));
  blob.read(reinterpret_cast<char*>(tensor.data()), static_cast<std::streamsize>(bytes));
  if (!blob) throw std::runtime_error(fmt::format("the .bin ends before {}", entry.dump()));
  return tensor;
}

}  // namespace

const Tensor& GoldenFixture::tensor(const std::string& name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw std::out_of_range("fixture has no tensor " + name);
  return found->second;
}

Tensor GoldenFixture::jittered_z(std::int64_t iteration) const {
  Tensor z = tensor("z");
  const auto offset = static_cast<std::uint32_t>(iteration) * 2246822519u;
  std::uint32_t i = 0;
  for (float& value : z.values()) {
    const std::uint32_t bits = i++ * 2654435761u + offset;  // wraps: mod 2^32
    value += jitter_sigma * (static_cast<float>(bits >> 16) / 65536.f - 0.5f);
  }
  return z;
}

GoldenFixture load_golden(const std::string& name) {
  const std::string path = std::string(UNMAR_FIXTURES) + "/" + name;
  try {
    std::ifstream text(path + ".json");
    std::ifstream blob(path + ".bin", std::ios::binary);
    if (!text || !blob) throw std::runtime_error("cannot be opened");
    const Json json = Json::parse(text);
    GoldenFixture fixture;
    json.at("out_channels").get_to(fixture.out_channels);
    fixture.network = network_from_json(json.at("network").dump(), name);
    json.at("reduce_factor").get_to(fixture.reduce_factor);
    json.at("jitter_sigma").get_to(fixture.jitter_sigma);
    json.at("learning_rate").get_to(fixture.learning_rate);
    json.at("losses").get_to(fixture.losses);
    for (const Json& entry : json.at("tensors"))
      fixture.tensors.emplace(entry.at("name").get<std::string>(), read_tensor(blob, entry));
    return fixture;
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("fixture {}: {}", path, error.what()));
  }
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(UNMAR_FIXTURES))
    if (entry.path().extension() == ".bin") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace unmar::test
