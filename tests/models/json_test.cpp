// Networks as JSON.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "error_text.h"
#include "unmar/models/models.h"

namespace unmar::test {
namespace json_test {

using Json = nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

/// One of each kind, no option at its default.
std::vector<NetworkOptions> unusual_networks() {
  return {
      SkipOptions{
          .down = {5, 6, 7},
          .up = {8, 9, 10},
          .skip = {0, 3, 2},
          .kernel_down = {5, 3, 7},
          .kernel_up = {1, 3, 5},
          .kernel_skip = 3,
          .border = Border::zero,
          .downsample = DownsampleMode::lanczos3,
          .upsample = {UpsampleMode::nearest, UpsampleMode::bicubic, UpsampleMode::transposed},
          .align_corners = true,
          .skip_mode = SkipMode::add,
          .norm = NetworkNorm::group,
          .activation = NetworkActivation::gelu,
          .one_by_one_up = false,
          .sigmoid = false,
          .bias = false},
      UnetOptions{.input_channels = 13,
                  .output_channels = 3,
                  .hidden_size = 6,
                  .bilinear = false,
                  .upsample = UpsampleMode::pixel_shuffle,
                  .align_corners = false,
                  .depth = 2,
                  .downsample = DownsampleMode::area,
                  .skip_mode = SkipMode::none,
                  .norm = NetworkNorm::instance,
                  .activation = NetworkActivation::elu,
                  .border = Border::reflect,
                  .sigmoid = false,
                  .bias = true},
      ResnetOptions{.blocks = 0,
                    .channels = 7,
                    .norm = NetworkNorm::none,
                    .activation = NetworkActivation::none,
                    .border = Border::zero,
                    .sigmoid = false,
                    .bias = false},
      DecoderOptions{.layers = 3,
                     .channels = 9,
                     .upsample = UpsampleMode::transposed,
                     .align_corners = true,
                     .norm = NetworkNorm::instance,
                     .activation = NetworkActivation::tanh,
                     .sigmoid = false,
                     .bias = true},
      ConvDecoderOptions{.layers = 2,
                         .channels = 11,
                         .input_size = 5,
                         .upsample = UpsampleMode::bicubic,
                         .align_corners = true,
                         .norm = NetworkNorm::group,
                         .activation = NetworkActivation::silu,
                         .border = Border::reflect,
                         .sigmoid = false,
                         .bias = false},
      PlainOptions{.layers = 2,
                   .channels = 12,
                   .kernel = 5,
                   .norm = NetworkNorm::group,
                   .activation = NetworkActivation::sigmoid,
                   .border = Border::zero,
                   .sigmoid = false,
                   .bias = false},
  };
}

std::string error_of(const std::string& text) {
  return error_text([&] { network_from_json(text, "net.json"); });
}

/// The JSON of a network's defaults with one value changed.
std::string changed(const std::string& network, const std::string& key, const Json& value) {
  Json json = Json::parse(network_to_json(default_network(network)));
  json[key] = value;
  return json.dump();
}

TEST(NetworkJson, has_every_network_once_in_these_tests) {
  std::vector<std::string> names;
  for (const NetworkOptions& options : unusual_networks()) names.push_back(network_name(options));
  EXPECT_EQ(names, network_names());
}

TEST(NetworkJson, keeps_every_option_there_and_back) {
  for (const NetworkOptions& options : unusual_networks()) {
    const std::string name = network_name(options), text = network_to_json(options);
    SCOPED_TRACE(name);
    const Json json = Json::parse(text);
    const Json defaults = Json::parse(network_to_json(default_network(name)));
    ASSERT_EQ(json.size(), defaults.size());
    for (const auto& [key, value] : json.items()) {
      if (key == "network") continue;
      EXPECT_NE(value, defaults.at(key)) << key << " proves nothing";
    }

    const NetworkOptions read = network_from_json(text, "net.json");
    EXPECT_EQ(read.index(), options.index());
    EXPECT_EQ(network_to_json(read), text);
  }
}

TEST(NetworkJson, reads_values_into_the_fields_of_their_names) {
  const auto skip = std::get<SkipOptions>(network_from_json(
      R"({"network": "skip", "down": [5, 6], "up": [7, 8], "skip": [1, 0], "kernel_up": [1, 5],
          "upsample": ["bicubic"], "skip_mode": "add", "norm": "instance"})",
      "net.json"));
  EXPECT_EQ(skip.down, (std::vector{5, 6}));
  EXPECT_EQ(skip.up, (std::vector{7, 8}));
  EXPECT_EQ(skip.skip, (std::vector{1, 0}));
  EXPECT_EQ(skip.kernel_up, (std::vector{1, 5}));
  EXPECT_EQ(skip.upsample, std::vector{UpsampleMode::bicubic});
  EXPECT_EQ(skip.skip_mode, SkipMode::add);
  EXPECT_EQ(skip.norm, NetworkNorm::instance);
  EXPECT_EQ(skip.kernel_down, SkipOptions{}.kernel_down) << "not given";

  const auto unet = std::get<UnetOptions>(network_from_json(
      R"({"network": "unet", "hidden_size": 8, "depth": 3, "bias": true, "upsample": null})",
      "net.json"));
  EXPECT_EQ(unet.hidden_size, 8);
  EXPECT_EQ(unet.depth, 3);
  EXPECT_TRUE(unet.bias);
  EXPECT_EQ(unet.upsample, std::nullopt);
}

TEST(NetworkJson, names_every_enumerator_and_reads_it_again) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> names{
      {"border", {"zero", "reflect"}},
      {"downsample", {"stride", "max", "average", "area", "bilinear", "lanczos2", "lanczos3"}},
      {"upsample", {"nearest", "bilinear", "bicubic", "transposed", "pixel_shuffle"}},
      {"skip_mode", {"concat", "add", "none"}},
      {"norm", {"batch", "instance", "group", "none"}},
      {"activation", {"none", "relu", "leaky_relu", "elu", "silu", "gelu", "tanh", "sigmoid"}},
  };
  for (const auto& [key, values] : names) {
    std::string all;
    for (const std::string& value : values) {
      all += (all.empty() ? "" : ", ") + value;
      const NetworkOptions read = network_from_json(changed("unet", key, value), "net.json");
      EXPECT_EQ(Json::parse(network_to_json(read)).at(key), value) << key;
    }
    EXPECT_THAT(error_of(changed("unet", key, "nonsense")), HasSubstr("one of " + all));
  }
}

TEST(NetworkJson, an_unknown_network_gets_the_nearest_named) {
  EXPECT_EQ(error_of(R"({"network": "unnet"})"),
            "net.json: network: there is no 'unnet'; did you mean 'unet'?");
  EXPECT_THAT(error_of(R"({"network": "conv_decoder"})"), HasSubstr("'convdecoder'?"));
  EXPECT_THAT(error_text([] { default_network("skipp"); }), HasSubstr("'skip'?"));
}

TEST(NetworkJson, an_unknown_key_gets_the_nearest_named) {
  EXPECT_EQ(error_of(R"({"network": "unet", "depht": 3, "nrom": "batch"})"),
            "net.json: network 'unet' has no option 'depht'; did you mean 'depth'?");
  EXPECT_THAT(error_of(R"({"network": "skip", "upsampel": ["nearest"]})"),
              HasSubstr("'upsample'?"));
  // Of another network.
  EXPECT_THAT(error_of(R"({"network": "resnet", "depth": 4})"),
              AllOf(HasSubstr("'resnet' has no option 'depth'"), HasSubstr("did you mean")));
}

TEST(NetworkJson, a_value_of_the_wrong_type_is_told_what_would_do) {
  EXPECT_EQ(error_of(R"({"network": "unet", "depth": "4"})"),
            "net.json: 'depth' is \"4\"; give a whole number from 0 to 1048576");
  EXPECT_EQ(error_of(R"({"network": "unet", "sigmoid": 1})"),
            "net.json: 'sigmoid' is 1; give true or false");
  EXPECT_EQ(error_of(R"({"network": "unet", "norm": "btach"})"),
            "net.json: 'norm' is \"btach\"; give one of batch, instance, group, none");
  EXPECT_THAT(error_of(R"({"network": "unet", "upsample": "linear"})"),
              HasSubstr("give null or one of nearest, bilinear"));
  EXPECT_EQ(error_of(R"({"network": "skip", "down": 128})"),
            "net.json: 'down' is 128; give a list; each entry is a whole number from 0 to 1048576");
  EXPECT_THAT(error_of(R"({"network": "skip", "down": [8, -8]})"), HasSubstr("give a list"));
  EXPECT_THAT(error_of(R"({"network": "skip", "upsample": "nearest"})"),
              HasSubstr("give a list; each entry is one of nearest"));
  EXPECT_THAT(error_of(R"({"network": "skip", "down": []})"), HasSubstr("give a list"));
}

TEST(NetworkJson, a_number_out_of_range_is_told_the_range) {
  for (const char* number :
       {"-1", "1048577", "4294967297", "9223372036854775808", "18446744073709551615", "1e3", "2.5"})
    EXPECT_THAT(error_of(std::string(R"({"network": "unet", "depth": )") + number + "}"),
                HasSubstr("give a whole number from 0 to 1048576"))
        << number;
}

TEST(NetworkJson, what_is_not_an_object_with_a_network_is_told_so) {
  for (const char* text : {"", "unet", "{\"network\": \"unet\"", "[1, 2]", "\"unet\"", "\xff"})
    EXPECT_THAT(error_of(text), StartsWith("net.json: not a JSON object; ")) << text;
  for (const char* text : {"{}", R"({"depth": 4})", R"({"network": 1})", R"({"network": null})"})
    EXPECT_THAT(error_of(text), StartsWith("net.json: 'network' is missing; ")) << text;
}

}  // namespace json_test
}  // namespace unmar::test
