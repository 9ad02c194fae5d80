#include <algorithm>

#include "base/fail.h"
#include "models/json_values.h"
#include "unmar/models/ddpm_unet.h"

namespace unmar {

using json::Json;

static const json::Names<ActivationKind>& names(ActivationKind) {
  using A = ActivationKind;
  static const json::Names<A> n{
      {A::silu, "silu"}, {A::silu, "swish"}, {A::gelu, "gelu"}, {A::relu, "relu"}};
  return n;
}

namespace {

/// The blocks of one direction, whose names tell the direction too.
struct BlockNames {
  const char* direction;
  std::vector<DdpmBlock> list = {};

  std::string name(DdpmBlock block) const {
    const char* attention = block == DdpmBlock::attention ? "Attn" : "";
    return fmt::format("{}{}Block2D", attention, direction);
  }
};
Json write(const BlockNames& blocks) {
  Json names = Json::array();
  for (const DdpmBlock block : blocks.list) names.push_back(blocks.name(block));
  return names;
}
bool read(const Json& names, BlockNames& blocks) {
  blocks.list.clear();
  if (!names.is_array() || names.empty()) return false;
  for (const Json& name : names)
    for (const DdpmBlock block : {DdpmBlock::resnet, DdpmBlock::attention})
      if (name == blocks.name(block)) blocks.list.push_back(block);
  return blocks.list.size() == names.size();
}
std::string what(const BlockNames& blocks) {
  return fmt::format("a list of {} and {}", blocks.name(DdpmBlock::resnet),
                     blocks.name(DdpmBlock::attention));
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

/// What diffusers' EMAModel adds when it saves the averages of a network.
bool is_of_averages(const std::string& key) {
  constexpr std::string_view kKeys[] = {"decay",         "inv_gamma",         "min_decay",
                                        "power",         "update_after_step", "optimization_step",
                                        "use_ema_warmup"};
  return std::ranges::find(kKeys, key) != std::end(kKeys);
}

void require_class(const Json& given, const std::string& where) {
  const auto name = given.find("_class_name");
  if (name != given.end() && *name == "UnmarGan")
    fail(ErrorCode::unsupported,
         "{}: it is a GAN, not a diffusion model; 'unmar gan sample' draws with it", where);
  if (name != given.end() && *name != "UNet2DModel")
    fail(ErrorCode::unsupported,
         "{}: '_class_name' is {}; only UNet2DModel, which draws pictures from noise alone, is "
         "built here",
         where, name->dump(-1, ' ', true, Json::error_handler_t::replace));
}

}  // namespace

DdpmUnetOptions ddpm_unet_from_json(std::string_view text, const std::string& where) {
  const Json given = Json::parse(text, nullptr, false);
  if (!given.is_object()) fail(ErrorCode::bad_argument, "{}: not a JSON object", where);
  require_class(given, where);
  DdpmUnetOptions o;
  std::vector<std::string> known{"num_train_timesteps"};
  const auto take = [&](const char* key, auto& value) {
    using json::read, json::what;
    known.emplace_back(key);
    if (given.contains(key) && !read(given[key], value))
      fail(ErrorCode::bad_argument, "{}: '{}' is {}; give {}", where, key, given[key].dump(),
           what(value));
  };
  std::optional<int> sample_size;
  BlockNames down{"Down", o.down_block_types}, up{"Up", o.up_block_types};
  take("sample_size", sample_size);
  take("down_block_types", down);
  take("up_block_types", up);
  fields(o, take);
  o.sample_size = sample_size.value_or(0);
  o.down_block_types = down.list;
  o.up_block_types = up.list;
  for (const auto& [key, value] : given.items()) {
    if (key.starts_with("_") || is_of_averages(key) ||
        std::find(known.begin(), known.end(), key) != known.end())
      continue;
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
  Json object{{"_class_name", "UNet2DModel"},
              {"sample_size", options.sample_size > 0 ? Json(options.sample_size) : Json(nullptr)},
              {"down_block_types", write(BlockNames{"Down", options.down_block_types})},
              {"up_block_types", write(BlockNames{"Up", options.up_block_types})}};
  fields(options, [&](const char* key, const auto& value) { object[key] = json::write(value); });
  return object.dump(2);
}

}  // namespace unmar
