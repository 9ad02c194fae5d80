#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/fail.h"
#include "data/printable.h"
#include "unmar/diffusion/weights.h"

namespace unmar {
namespace {

using data::printable;

/// Linear layers are 1x1 convolutions in the graph.
bool is_linear(std::string_view name) {
  constexpr std::array<std::string_view, 7> kLinear{
      "linear_1.weight", "linear_2.weight", "time_emb_proj.weight", "to_q.weight",
      "to_k.weight",     "to_v.weight",     "to_out.0.weight"};
  return std::ranges::any_of(kLinear, [&](std::string_view end) { return name.ends_with(end); });
}

bool is_per_channel(std::string_view name) {
  return name.ends_with(".bias") || name.ends_with("norm.weight") ||
         name.ends_with("norm1.weight") || name.ends_with("norm2.weight") ||
         name == "conv_norm_out.weight";
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

std::vector<TensorSpec> unet_tensors(const DdpmUnetOptions& options) {
  // The smallest picture will do: parameters do not depend on its size.
  const int levels = static_cast<int>(std::min<std::size_t>(options.block_out_channels.size(), 12));
  const int side = 1 << std::max(levels - 1, 0);
  Graph graph;
  const NodeId sample = graph.add(Input{{1, options.in_channels, side, side}}, {}, "sample");
  const NodeId time = graph.add(Input{{1, 1, 1, 1}}, {}, "time");
  write_ddpm_unet(graph, sample, time, options);
  std::vector<TensorSpec> specs;
  for (const Param& param : graph.params()) {
    const Shape& s = param.shape;
    std::vector<std::int64_t> sides{s.n, s.c, s.h, s.w};
    if (is_per_channel(param.name)) sides = {s.c};
    if (is_linear(param.name)) sides.resize(2);
    specs.push_back({param.name, std::move(sides)});
  }
  return specs;
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

Weights fit_to_unet(Weights weights, const DdpmUnetOptions& options, const std::string& where) {
  std::map<std::string, NamedTensor*> by_name;
  for (NamedTensor& tensor : weights.tensors) {
    tensor.name = current_attention_name(tensor.name);
    if (!by_name.emplace(tensor.name, &tensor).second)
      fail(ErrorCode::bad_input, "{}: '{}' is there under its old and its new name", where,
           printable(tensor.name));
  }
  std::vector<TensorSpec> specs = unet_tensors(options);
  for (const TensorSpec& spec : specs)
    if (const auto found = by_name.find(spec.name);
        found != by_name.end() && spec.shape.size() == 2)
      found->second->shape = two_sided(found->second->shape);
  return arranged(std::move(weights), std::move(specs), where);
}

Weights unet_weights(const DdpmUnetOptions& options, std::vector<Tensor> params) {
  return named_weights(unet_tensors(options), std::move(params), "unet_weights");
}

}  // namespace unmar
