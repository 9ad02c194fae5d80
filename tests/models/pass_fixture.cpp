#include "models/pass_fixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace unmar::test {
namespace {

using Json = nlohmann::json;

// ---- values that PyTorch got too: see make_golden_passes.py -------------------------------------

std::uint32_t fnv1a(const std::string& text) {
  std::uint32_t value = 2166136261u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 16777619u;
  return value;
}

/// 32 well mixed bits (lowbias32).
std::uint32_t hash(std::uint32_t name, std::size_t i) {
  std::uint32_t x = static_cast<std::uint32_t>(i) * 0x9E3779B9u + name;
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  return x ^ (x >> 16);
}

Tensor generate(const std::string& name, const Shape& shape, float centre, float scale) {
  Tensor tensor(shape);
  const std::uint32_t seed = fnv1a(name);
  std::size_t i = 0;
  for (float& value : tensor.values()) {
    const float unit = static_cast<float>(hash(seed, i++) >> 8) / 8388608.f - 1.f;  // exact
    value = centre + scale * unit;
  }
  return tensor;
}

// ---- JSON ---------------------------------------------------------------------------------------

template <class E>
E choose(const Json& json, const char* key, const std::map<std::string, E>& names) {
  const auto name = json.at(key).get<std::string>();
  const auto found = names.find(name);
  if (found == names.end()) throw std::runtime_error(fmt::format("no {} '{}'", key, name));
  return found->second;
}

Op to_op(const Json& json, const Shape& src) {
  const auto number = [&](const char* key) { return json.at(key).get<int>(); };
  const auto real = [&](const char* key) { return json.at(key).get<float>(); };
  const std::map<std::string, std::function<Op()>> makers{
      {"conv2d",
       [&] {
         const auto border =
             choose<Border>(json, "border", {{"zero", Border::zero}, {"reflect", Border::reflect}});
         Conv2d op{number("out_c"), number("kernel"), number("stride"), border,
                   json.at("bias").get<bool>()};
         op.pad_end = json.value("pad_end", false);
         return op;
       }},
      {"conv_transpose2d",
       [&] {
         return ConvTranspose2d{number("out_c"), number("stride"), json.at("bias").get<bool>(),
                                json.value("kernel", 0), json.value("padding", 0)};
       }},
      {"pixel_shuffle", [&] { return PixelShuffle{number("factor")}; }},
      {"pool",
       [&] {
         if (choose<bool>(json, "kind", {{"max", true}, {"average", false}}))
           return Op(MaxPool{number("factor")});
         return Op(Linear::average_pool(src, number("factor")));
       }},
      {"resize",
       [&] {
         const auto kind = choose<ResizeKind>(json, "kind",
                                              {{"nearest", ResizeKind::nearest},
                                               {"bilinear", ResizeKind::bilinear},
                                               {"bicubic", ResizeKind::bicubic},
                                               {"area", ResizeKind::area}});
         return Linear::resize(src, kind, number("h"), number("w"),
                               json.value("align_corners", false));
       }},
      {"reduce",
       [&] {
         const auto kernel = choose<ReduceKernel>(json, "kernel",
                                                  {{"lanczos2", ReduceKernel::lanczos2},
                                                   {"lanczos3", ReduceKernel::lanczos3},
                                                   {"bicubic", ReduceKernel::bicubic},
                                                   {"box", ReduceKernel::box}});
         return Linear::reduce(src, kernel, number("factor"));
       }},
      {"filter",
       [&] {
         const auto& rows = json.at("taps");
         auto taps = std::make_shared<Tensor>(
             Shape{1, 1, static_cast<int>(rows.size()), static_cast<int>(rows.at(0).size())});
         float* tap = taps->data();
         for (const auto& row : rows)
           for (const auto& value : row) *tap++ = value.get<float>();
         return Filter{taps,
                       choose<Border>(json, "border",
                                      {{"zero", Border::zero}, {"reflect", Border::reflect}})};
       }},
      {"concat", [&] { return Concat{}; }},
      {"center_crop", [&] { return Linear::center_crop(src, number("h"), number("w")); }},
      {"pad", [&] { return Linear::pad(src, number("h"), number("w")); }},
      {"norm",
       [&] {
         const auto kind = choose<NormKind>(json, "kind",
                                            {{"batch", NormKind::batch},
                                             {"instance", NormKind::instance},
                                             {"group", NormKind::group}});
         return Norm{kind, json.value("groups", 1)};
       }},
      {"activation",
       [&] {
         const auto kind = choose<ActivationKind>(json, "kind",
                                                  {{"relu", ActivationKind::relu},
                                                   {"leaky_relu", ActivationKind::leaky_relu},
                                                   {"elu", ActivationKind::elu},
                                                   {"silu", ActivationKind::silu},
                                                   {"gelu", ActivationKind::gelu},
                                                   {"tanh", ActivationKind::tanh},
                                                   {"sigmoid", ActivationKind::sigmoid}});
         return Activation{kind, real("slope")};
       }},
      {"add", [&] { return Add{}; }},
      {"multiply", [&] { return Multiply{}; }},
      {"time_embedding",
       [&] {
         return TimeEmbedding{number("channels"), json.at("flip_sin_to_cos").get<bool>(),
                              real("freq_shift")};
       }},
      {"attention", [&] { return Attention{number("heads")}; }},
      {"mse", [&] { return Mse{}; }},
      {"l1", [&] { return L1{}; }},
      {"fixed_norm", [&] { return Norm{.statistics = NormStatistics::fixed}; }},
      {"bce_with_logits", [&] { return BceWithLogits{}; }},
      {"total_variation",
       [&] {
         return TotalVariation{real("beta"), real("eps")};
       }},
      {"weighted_sum", [&] { return WeightedSum{json.at("weights").get<std::vector<float>>()}; }},
  };
  return choose(json, "op", makers)();
}

/// One file with its samples.
struct Group {
  Json cases;
  std::vector<float> samples;
};

Group read_group(const std::string& name) {
  const std::string path = std::string(UNMAR_FIXTURES) + "/passes/" + name;
  std::ifstream text(path + ".json");
  std::ifstream blob(path + ".bin", std::ios::binary | std::ios::ate);
  if (!text || !blob) throw std::runtime_error("fixture " + path + " cannot be opened");
  Group group{Json::parse(text).at("cases"), {}};
  group.samples.resize(static_cast<std::size_t>(blob.tellg()) / sizeof(float));
  blob.seekg(0);
  blob.read(reinterpret_cast<char*>(group.samples.data()),
            static_cast<std::streamsize>(group.samples.size() * sizeof(float)));
  return group;
}

const std::vector<Group>& groups() {
  static const std::vector<Group> all{read_group("ops"), read_group("networks")};
  return all;
}

/// Reads the tensors of one case.
class Reader {
 public:
  Reader(const Json& json, const std::vector<float>& samples)
      : samples_(samples),
        prefix_(fmt::format("{}/{}/", json.at("name").get<std::string>(),
                            json.at("seed").get<int>())) {}

  Tensor value(const Json& row) const {
    const auto s = row.at("shape").get<std::vector<int>>();
    return generate(prefix_ + row.at("name").get<std::string>(),
                    {s.at(0), s.at(1), s.at(2), s.at(3)}, row.at("centre").get<float>(),
                    row.at("scale").get<float>());
  }

  Expected expected(const Json& json) const {
    Expected e;
    json.at("largest").get_to(e.largest);
    json.at("norm").get_to(e.norm);
    json.at("sum").get_to(e.sum);
    json.at("probe").get_to(e.probe);
    json.at("stride").get_to(e.stride);
    const auto at = json.at("at").get<std::size_t>(), count = json.at("samples").get<std::size_t>();
    if (at + count > samples_.size()) throw std::runtime_error("the .bin ends too early");
    const auto first = samples_.begin() + static_cast<std::ptrdiff_t>(at);
    e.samples.assign(first, first + static_cast<std::ptrdiff_t>(count));
    return e;
  }

  std::vector<Given> given(const Json& rows) const {
    std::vector<Given> result;
    for (const Json& row : rows) {
      result.push_back({row.at("name").get<std::string>(), value(row), std::nullopt});
      if (!row.at("gradient").is_null()) result.back().gradient = expected(row.at("gradient"));
    }
    return result;
  }

 private:
  const std::vector<float>& samples_;
  std::string prefix_;
};

PassFixture to_fixture(const Json& json, const std::vector<float>& samples) {
  const Reader reader(json, samples);
  PassFixture fixture;
  if (json.contains("network")) {
    fixture.network = network_from_json(json.at("network").dump(), "fixture");
    const auto picture = json.at("picture").get<std::vector<int>>();
    fixture.picture = {1, picture.at(0), picture.at(1), picture.at(2)};
  }
  if (json.contains("ddpm_unet"))
    fixture.ddpm_unet = ddpm_unet_from_json(json.at("ddpm_unet").dump(), "fixture");
  if (json.contains("gan")) {
    const Json& gan = json.at("gan");
    const auto number = [&](const char* key) { return gan.at(key).get<int>(); };
    fixture.gan = {number("size"), number("channels"), number("latent"), number("width"),
                   number("kernel")};
    if (gan.at("part") == "discriminator") fixture.discriminator_parts = number("parts");
  }
  fixture.inputs = reader.given(json.at("inputs"));
  if (json.contains("op")) fixture.op = to_op(json.at("op"), fixture.inputs.at(0).value.shape());
  fixture.params = reader.given(json.at("params"));
  fixture.target = reader.value(json.at("target"));
  fixture.output = reader.expected(json.at("output"));
  json.at("loss").get_to(fixture.loss);
  return fixture;
}

}  // namespace

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const Group& group : groups())
    for (const Json& json : group.cases) names.push_back(json.at("name").get<std::string>());
  return names;
}

PassFixture load_pass(const std::string& name) {
  try {
    for (const Group& group : groups())
      for (const Json& json : group.cases)
        if (json.at("name") == name) return to_fixture(json, group.samples);
    throw std::runtime_error("there is none");
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("pass {}: {}", name, error.what()));
  }
}

std::string difference(const Tensor& actual, const Expected& expected, double tolerance) {
  const auto values = actual.values();
  const std::size_t count = values.size();
  if (expected.samples.empty() || expected.largest == 0) return "the fixture proves nothing";
  if (count < expected.samples.size()) return fmt::format("has {} elements only", count);
  for (std::size_t k = 0; k < expected.samples.size(); ++k) {
    const std::size_t i = k * expected.stride % count;
    const double gap = std::abs(double{values[i]} - double{expected.samples[k]}) / expected.largest;
    if (!(gap <= tolerance))
      return fmt::format("element {} is {}, should be {}: off by {:.2g} of the largest magnitude",
                         i, values[i], expected.samples[k], gap);
  }

  static const std::uint32_t kProbe = fnv1a("probe");
  double largest = 0, squares = 0, sum = 0, probe = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double v = values[i];
    largest = std::max(largest, std::abs(v));
    squares += v * v;
    sum += v;
    probe += hash(kProbe, i) >> 31 ? -v : v;
  }
  // An error of relative size e moves largest and norm by e of themselves and the probe by about e
  // of the norm. A sum can add up errors of one sign: Cauchy and Schwarz.
  const double norm = expected.norm;
  const std::tuple<const char*, double, double, double> sums[] = {
      {"largest magnitude", largest, expected.largest, expected.largest},
      {"norm", std::sqrt(squares), norm, norm},
      {"sum with random signs", probe, expected.probe, norm},
      {"sum", sum, expected.sum, norm * std::sqrt(static_cast<double>(count))},
  };
  for (const auto& [what, is, should, scale] : sums)
    if (!(std::abs(is - should) <= tolerance * scale))
      return fmt::format("{} is {}, should be {}: off by {:.2g} of {:.3g}", what, is, should,
                         std::abs(is - should) / scale, scale);
  return {};
}

}  // namespace unmar::test
