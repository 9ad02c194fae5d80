#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "unmar/ddpm_unet.h"

namespace unmar {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMost = 1 << 20;  // of any count

const std::vector<std::pair<ActivationKind, std::string>>& activations() {
  static const std::vector<std::pair<ActivationKind, std::string>> all{
      {ActivationKind::silu, "silu"},
      {ActivationKind::silu, "swish"},
      {ActivationKind::gelu, "gelu"},
      {ActivationKind::relu, "relu"}};
  return all;
}

/// Each reads a value, or says what would do.
using Wanted = std::optional<std::string>;

Wanted read(const Json& json, int& value) {
  if (!json.is_number_integer() || json < 0 || json > kMost)
    return fmt::format("a whole number from 0 to {}", kMost);
  json.get_to(value);
  return {};
}
Wanted read(const Json& json, float& value) {
  if (!json.is_number()) return "a number";
  json.get_to(value);
  return {};
}
Wanted read(const Json& json, bool& value) {
  if (!json.is_boolean()) return "true or false";
  json.get_to(value);
  return {};
}
Wanted read(const Json& json, std::optional<int>& value) {
  value.reset();
  if (json.is_null()) return {};
  const Wanted wanted = read(json, value.emplace());
  return wanted ? "null or " + *wanted : wanted;
}
Wanted read(const Json& json, std::vector<int>& value) {
  value.assign(json.is_array() ? json.size() : 0, 0);
  for (std::size_t i = 0; i < value.size(); ++i)
    if (read(json[i], value[i])) value.clear();
  if (value.empty()) return "a list of whole numbers";
  return {};
}
Wanted read(const Json& json, ActivationKind& value) {
  for (const auto& [kind, name] : activations())
    if (json == name) {
      value = kind;
      return {};
    }
  return "silu, swish, gelu or relu";
}
Wanted read_blocks(const Json& json, const char* direction, std::vector<DdpmBlock>& value) {
  const std::string plain = fmt::format("{}Block2D", direction), attention = "Attn" + plain;
  value.clear();
  if (json.is_array())
    for (const Json& name : json)
      if (name == plain || name == attention)
        value.push_back(name == plain ? DdpmBlock::resnet : DdpmBlock::attention);
  if (value.empty() || value.size() != json.size())
    return fmt::format("a list of {} and {}", plain, attention);
  return {};
}

Json write(const std::optional<int>& value) { return value ? Json(*value) : Json(nullptr); }
Json write(ActivationKind value) {
  for (const auto& [kind, name] : activations())
    if (kind == value) return name;
  return nullptr;
}
template <class T>
Json write(const T& value) {
  return value;
}
Json write_blocks(const std::vector<DdpmBlock>& blocks, const char* direction) {
  Json json = Json::array();
  for (const DdpmBlock block : blocks)
    json.push_back(
        fmt::format("{}{}Block2D", block == DdpmBlock::attention ? "Attn" : "", direction));
  return json;
}

template <class O, class F>
void fields(O& o, F field) {
  field("in_channels", o.in_channels);
  field("out_channels", o.out_channels);
  field("center_input_sample", o.center_input_sample);
  field("flip_sin_to_cos", o.flip_sin_to_cos);
  field("freq_shift", o.freq_shift);
  field("block_out_channels", o.block_out_channels);
  field("layers_per_block", o.layers_per_block);
  field("downsample_padding", o.downsample_padding);
  field("dropout", o.dropout);
  field("act_fn", o.act_fn);
  field("attention_head_dim", o.attention_head_dim);
  field("norm_num_groups", o.norm_num_groups);
  field("attn_norm_num_groups", o.attn_norm_num_groups);
  field("norm_eps", o.norm_eps);
  field("add_attention", o.add_attention);
}

/// What else a config.json may say, with the one value that is built here.
const Json& fixed() {
  static const Json values{{"time_embedding_type", "positional"},
                           {"mid_block_scale_factor", 1},
                           {"mid_block_type", "UNetMidBlock2D"},
                           {"downsample_type", "conv"},
                           {"upsample_type", "conv"},
                           {"resnet_time_scale_shift", "default"},
                           {"class_embed_type", nullptr},
                           {"num_class_embeds", nullptr}};
  return values;
}

}  // namespace

DdpmUnetOptions ddpm_unet_from_json(std::string_view text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) fail(ErrorCode::bad_argument, "{}: not a JSON object", where);
  DdpmUnetOptions o;
  std::vector<std::string> known{"sample_size", "down_block_types", "up_block_types",
                                 "num_train_timesteps"};
  const auto take = [&](const char* key, auto reader) {
    if (!json.contains(key)) return;
    if (const Wanted wanted = reader(json[key]))
      fail(ErrorCode::bad_argument, "{}: '{}' is {}; give {}", where, key, json[key].dump(),
           *wanted);
  };
  take("sample_size", [&](const Json& value) -> Wanted {
    if (value.is_null()) return {};
    return read(value, o.sample_size);
  });
  take("down_block_types",
       [&](const Json& value) { return read_blocks(value, "Down", o.down_block_types); });
  take("up_block_types",
       [&](const Json& value) { return read_blocks(value, "Up", o.up_block_types); });
  fields(o, [&](const char* key, auto& value) {
    known.emplace_back(key);
    take(key, [&](const Json& given) { return read(given, value); });
  });
  for (const auto& [key, value] : json.items()) {
    if (key.starts_with("_") || std::find(known.begin(), known.end(), key) != known.end()) continue;
    if (!fixed().contains(key))
      fail(ErrorCode::bad_argument, "{}: a U-Net has no option '{}'; did you mean {}?", where, key,
           closest(key, known));
    if (value != fixed()[key])
      fail(ErrorCode::unsupported, "{}: '{}' is {}; only {} is built here", where, key,
           value.dump(), fixed()[key].dump());
  }
  return o;
}

std::string ddpm_unet_to_json(const DdpmUnetOptions& options) {
  Json json{{"_class_name", "UNet2DModel"},
            {"sample_size", options.sample_size > 0 ? Json(options.sample_size) : Json(nullptr)},
            {"down_block_types", write_blocks(options.down_block_types, "Down")},
            {"up_block_types", write_blocks(options.up_block_types, "Up")}};
  fields(options, [&](const char* key, const auto& value) { json[key] = write(value); });
  return json.dump(2);
}

}  // namespace unmar
