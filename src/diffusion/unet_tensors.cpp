#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/fail.h"
#include "diffusion/printable.h"
#include "unmar/weights.h"

namespace unmar {
namespace {

using diffusion::printable;

class Lister {
 public:
  explicit Lister(const UNet2DConfig& config) : time_channels_(4 * config.block_out_channels[0]) {}

  void conv(const std::string& name, int in, int out, int kernel) {
    specs.push_back({name + ".weight", {out, in, kernel, kernel}});
    specs.push_back({name + ".bias", {out}});
  }
  void linear(const std::string& name, int in, int out) {
    specs.push_back({name + ".weight", {out, in}});
    specs.push_back({name + ".bias", {out}});
  }
  void norm(const std::string& name, int channels) {
    specs.push_back({name + ".weight", {channels}});
    specs.push_back({name + ".bias", {channels}});
  }
  void resnet(const std::string& name, int in, int out) {
    norm(name + ".norm1", in);
    conv(name + ".conv1", in, out, 3);
    linear(name + ".time_emb_proj", time_channels_, out);
    norm(name + ".norm2", out);
    conv(name + ".conv2", out, out, 3);
    if (in != out) conv(name + ".conv_shortcut", in, out, 1);
  }
  void attention(const std::string& name, int channels) {
    norm(name + ".group_norm", channels);
    for (const char* part : {".to_q", ".to_k", ".to_v", ".to_out.0"})
      linear(name + part, channels, channels);
  }

  std::vector<TensorSpec> specs;

 private:
  int time_channels_;
};

void list_down(Lister& to, const UNet2DConfig& c) {
  int channels = c.block_out_channels[0];
  for (std::size_t level = 0; level < c.block_out_channels.size(); ++level) {
    const std::string block = fmt::format("down_blocks.{}", level);
    const int out = c.block_out_channels[level];
    for (int i = 0; i < c.layers_per_block; ++i) {
      to.resnet(fmt::format("{}.resnets.{}", block, i), channels, out);
      if (c.down_attention[level]) to.attention(fmt::format("{}.attentions.{}", block, i), out);
      channels = out;
    }
    if (level + 1 < c.block_out_channels.size())
      to.conv(block + ".downsamplers.0.conv", out, out, 3);
  }
}

void list_mid(Lister& to, const UNet2DConfig& c) {
  const int channels = c.block_out_channels.back();
  to.resnet("mid_block.resnets.0", channels, channels);
  if (c.mid_attention) to.attention("mid_block.attentions.0", channels);
  to.resnet("mid_block.resnets.1", channels, channels);
}

void list_up(Lister& to, const UNet2DConfig& c) {
  const std::size_t levels = c.block_out_channels.size();
  int channels = c.block_out_channels.back();
  for (std::size_t i = 0; i < levels; ++i) {
    const std::string block = fmt::format("up_blocks.{}", i);
    const int out = c.block_out_channels[levels - 1 - i];
    // The last layer meets what the level above left before it was halved.
    const int above = c.block_out_channels[i + 1 < levels ? levels - 2 - i : 0];
    for (int j = 0; j <= c.layers_per_block; ++j) {
      const int skip = j == c.layers_per_block ? above : out;
      to.resnet(fmt::format("{}.resnets.{}", block, j), channels + skip, out);
      if (c.up_attention[i]) to.attention(fmt::format("{}.attentions.{}", block, j), out);
      channels = out;
    }
    if (i + 1 < levels) to.conv(block + ".upsamplers.0.conv", out, out, 3);
  }
}

/// today's, old
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kAttentionNames{
    {{".to_q.", ".query."},
     {".to_k.", ".key."},
     {".to_v.", ".value."},
     {".to_out.0.", ".proj_attn."}}};

std::string replaced(std::string_view name, std::string_view from, std::string_view to) {
  std::string text(name);
  const std::size_t at = text.rfind(from);
  if (text.find(".attentions.") != std::string::npos && at != std::string::npos)
    text.replace(at, from.size(), to);
  return text;
}

/// [c,d] in place of [c,d,1,1] and [c,d,1].
std::vector<std::int64_t> two_sided(std::vector<std::int64_t> shape) {
  while (shape.size() > 2 && shape.back() == 1) shape.pop_back();
  return shape;
}

}  // namespace

std::vector<TensorSpec> unet_tensors(const UNet2DConfig& c) {
  Lister to(c);
  const int first = c.block_out_channels[0];
  to.conv("conv_in", c.in_channels, first, 3);
  to.linear("time_embedding.linear_1", first, 4 * first);
  to.linear("time_embedding.linear_2", 4 * first, 4 * first);
  list_down(to, c);
  list_mid(to, c);
  list_up(to, c);
  to.norm("conv_norm_out", first);
  to.conv("conv_out", first, c.out_channels, 3);
  return std::move(to.specs);
}

std::string current_attention_name(std::string_view name) {
  std::string text(name);
  for (const auto& [today, old] : kAttentionNames) text = replaced(text, old, today);
  return text;
}
std::string old_attention_name(std::string_view name) {
  std::string text(name);
  for (const auto& [today, old] : kAttentionNames) text = replaced(text, today, old);
  return text;
}

Weights fit_to_unet(Weights weights, const UNet2DConfig& config, const std::string& where) {
  std::map<std::string, NamedTensor*> by_name;
  for (NamedTensor& tensor : weights.tensors) {
    tensor.name = current_attention_name(tensor.name);
    if (!by_name.emplace(tensor.name, &tensor).second)
      fail(ErrorCode::bad_input, "{}: '{}' is there under its old and its new name", where,
           printable(tensor.name));
  }
  Weights fitted{{}, std::move(weights.metadata), weights.not_finite};
  for (TensorSpec& spec : unet_tensors(config)) {
    const auto found = by_name.find(spec.name);
    if (found == by_name.end())
      fail(ErrorCode::bad_input, "{}: tensor '{}' is missing; does the configuration belong to it?",
           where, spec.name);
    NamedTensor& tensor = *found->second;
    if (spec.shape.size() == 2) tensor.shape = two_sided(tensor.shape);
    if (tensor.shape != spec.shape)
      fail(ErrorCode::bad_input, "{}: tensor '{}' is [{}], but the configuration makes it [{}]",
           where, spec.name, fmt::join(tensor.shape, ","), fmt::join(spec.shape, ","));
    fitted.tensors.push_back(std::move(tensor));
    by_name.erase(found);
  }
  if (!by_name.empty())
    fail(ErrorCode::bad_input,
         "{}: the network has no tensor '{}' ({} such); does the "
         "configuration belong to it?",
         where, printable(by_name.begin()->first), by_name.size());
  return fitted;
}

}  // namespace unmar
