#include "graph/params.h"

#include <cmath>

#include "unmar/random.h"

namespace unmar {
namespace {

/// PyTorch's default for convolutions: kaiming_uniform(a = sqrt 5) is U(-1/sqrt(fan_in),
/// 1/sqrt(fan_in)) for the weight, and the bias is drawn from the same interval.
std::vector<Param> conv_params(const Conv2d& conv, const Shape& src, const std::string& name) {
  const float bound = 1.f / std::sqrt(static_cast<float>(src.c * conv.kernel * conv.kernel));
  const Init init{Init::Kind::uniform, -bound, bound};
  std::vector<Param> params{
      {name + ".weight", {conv.out_c, src.c, conv.kernel, conv.kernel}, init, {}}};
  if (conv.bias) params.push_back({name + ".bias", {1, conv.out_c, 1, 1}, init, {}});
  return params;
}

}  // namespace

std::vector<Param> param_specs(const Op& op, const Shape& src, const std::string& node_name) {
  if (const auto* conv = std::get_if<Conv2d>(&op)) return conv_params(*conv, src, node_name);
  if (std::holds_alternative<BatchNorm>(op)) {
    const Shape per_channel{1, src.c, 1, 1};
    return {{node_name + ".gamma", per_channel, {Init::Kind::constant, 1.f, 0.f}, {}},
            {node_name + ".beta", per_channel, {Init::Kind::constant, 0.f, 0.f}, {}}};
  }
  return {};
}

Tensor draw(const Param& param, std::uint64_t seed) {
  Tensor value(param.shape, param.init.a);
  if (param.init.kind == Init::Kind::uniform)
    Random(seed, param.name).uniform(value.values(), param.init.a, param.init.b);
  return value;
}

}  // namespace unmar
