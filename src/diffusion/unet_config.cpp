#include <algorithm>

#include "diffusion/json_fields.h"
#include "unmar/weights.h"

namespace unmar {
namespace {

using namespace unmar::diffusion;

constexpr int kMostChannels = 16384, kMostLevels = 12, kMostLayers = 64;

/// "DownBlock2D" or "AttnDownBlock2D", for direction "Down"; old files put "UNetRes" in front.
std::vector<bool> read_blocks(const JsonFields& fields, const char* key,
                              const std::string& direction, std::vector<bool> missing) {
  const Json* json = fields.find(key);
  if (json == nullptr) return missing;
  const std::string plain = direction + "Block2D", attention = "Attn" + plain;
  std::vector<bool> blocks;
  if (!json->is_array()) fields.refuse(key, "a list of " + plain + " and " + attention);
  for (const Json& entry : *json) {
    std::string name = entry.is_string() ? entry.get<std::string>() : "";
    if (name.starts_with("UNetRes")) name.erase(0, 7);
    if (name != plain && name != attention)
      fields.refuse(key, "a list of " + plain + " and " + attention, ErrorCode::unsupported);
    blocks.push_back(name == attention);
  }
  return blocks;
}

void read_channels(const JsonFields& fields, std::vector<int>& channels) {
  constexpr const char* kKey = "block_out_channels";
  const Json* json = fields.find(kKey);
  if (json == nullptr) return;
  if (!json->is_array() || json->empty() || json->size() > kMostLevels)
    fields.refuse(kKey, fmt::format("a list of 1 to {} whole numbers", kMostLevels));
  channels.clear();
  for (const Json& entry : *json)
    channels.push_back(fields.whole_number(kKey, entry, 1, kMostChannels));
}

/// What other U-Nets have and this one has not.
void refuse_others(const JsonFields& fields) {
  fields.require("_class_name", {"UNet2DModel", "UNetUnconditionalModel"});
  fields.require("act_fn", {"silu", "swish"});
  fields.require("time_embedding_type", {"positional"});
  fields.require("resnet_time_scale_shift", {"default"});
  fields.require("downsample_type", {"conv"});
  fields.require("upsample_type", {"conv"});
  fields.require("center_input_sample", {false});
  fields.require("mid_block_scale_factor", {1});
  fields.require("mid_block_type", {"UNetMidBlock2D"});
  fields.require("class_embed_type", {});
  fields.require("num_class_embeds", {});
  fields.require("attn_norm_num_groups", {});
}

void check(const JsonFields& fields, const UNet2DConfig& config) {
  const std::size_t levels = config.block_out_channels.size();
  if (config.down_attention.size() != levels || config.up_attention.size() != levels)
    fail(
        ErrorCode::bad_input,
        "{}: there are {} block_out_channels, {} down_block_types and {} up_block_types; they must "
        "be as many",
        fields.where(), levels, config.down_attention.size(), config.up_attention.size());
  for (const int channels : config.block_out_channels) {
    if (channels % config.norm_num_groups != 0)
      fail(ErrorCode::bad_input, "{}: {} channels do not divide into {} norm_num_groups",
           fields.where(), channels, config.norm_num_groups);
    // diffusers makes channels / attention_head_dim heads.
    if (config.attention_head_dim && channels % *config.attention_head_dim != 0)
      fail(ErrorCode::bad_input, "{}: {} channels do not divide into heads of {}", fields.where(),
           channels, *config.attention_head_dim);
  }
  if (config.block_out_channels.front() % 2 != 0)
    fail(ErrorCode::bad_input, "{}: the first of block_out_channels must be even, got {}",
         fields.where(), config.block_out_channels.front());
}

}  // namespace

UNet2DConfig unet_config_from_json(std::string_view text, const std::string& where) {
  const JsonFields fields(text, where);
  refuse_others(fields);
  UNet2DConfig c;
  if (const Json* size = fields.find("sample_size"); size != nullptr && size->is_number())
    fields.read("sample_size", c.sample_size, 0, 1 << 16);
  fields.read("in_channels", c.in_channels, 1, kMostChannels);
  fields.read("out_channels", c.out_channels, 1, kMostChannels);
  fields.read("flip_sin_to_cos", c.flip_sin_to_cos);
  fields.read("freq_shift", c.freq_shift, 0, 1);
  read_channels(fields, c.block_out_channels);
  c.down_attention = read_blocks(fields, "down_block_types", "Down", c.down_attention);
  c.up_attention = read_blocks(fields, "up_block_types", "Up", c.up_attention);
  fields.read("layers_per_block", c.layers_per_block, 1, kMostLayers);
  fields.read("downsample_padding", c.downsample_padding, 0, 1);
  fields.read("dropout", c.dropout, 0, 0.99);
  // Null is not the same as no key.
  const Json* heads = fields.find("attention_head_dim");
  if (heads != nullptr && heads->is_null())
    c.attention_head_dim.reset();
  else
    fields.read("attention_head_dim", *c.attention_head_dim, 1, kMostChannels);
  fields.read("norm_num_groups", c.norm_num_groups, 1, kMostChannels);
  fields.read("norm_eps", c.norm_eps, 1e-12, 1);
  fields.read("add_attention", c.mid_attention);
  check(fields, c);
  return c;
}

std::string unet_config_to_json(const UNet2DConfig& c) {
  const auto blocks = [](const std::vector<bool>& attention, const std::string& direction) {
    Json list = Json::array();
    for (const bool a : attention) list.push_back((a ? "Attn" : "") + direction + "Block2D");
    return list;
  };
  Json json{{"_class_name", "UNet2DModel"},
            {"act_fn", "silu"},
            {"add_attention", c.mid_attention},
            {"attention_head_dim", c.attention_head_dim ? Json(*c.attention_head_dim) : Json()},
            {"block_out_channels", c.block_out_channels},
            {"center_input_sample", false},
            {"down_block_types", blocks(c.down_attention, "Down")},
            {"downsample_padding", c.downsample_padding},
            {"dropout", c.dropout},
            {"flip_sin_to_cos", c.flip_sin_to_cos},
            {"freq_shift", c.freq_shift},
            {"in_channels", c.in_channels},
            {"layers_per_block", c.layers_per_block},
            {"mid_block_scale_factor", 1},
            {"norm_eps", c.norm_eps},
            {"norm_num_groups", c.norm_num_groups},
            {"out_channels", c.out_channels},
            {"sample_size", c.sample_size > 0 ? Json(c.sample_size) : Json()},
            {"time_embedding_type", "positional"},
            {"up_block_types", blocks(c.up_attention, "Up")}};
  return json.dump(2) + "\n";
}

}  // namespace unmar
