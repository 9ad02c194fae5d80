#include "graph/params.h"

#include <algorithm>
#include <cmath>

#include "unmar/base/random.h"

namespace unmar {
namespace {

/// PyTorch's default for convolutions: kaiming_uniform(a = sqrt 5) is U(-1/sqrt(fan_in),
/// 1/sqrt(fan_in)) for the weight, and the bias is drawn from the same interval.
std::vector<Param> kernel_params(const Shape& weight, int fan_in, int bias_c, int repeat,
                                 const std::string& name) {
  const float bound = 1.f / std::sqrt(static_cast<float>(fan_in));
  const Init init{Init::Kind::uniform, -bound, bound, repeat};
  std::vector<Param> params{{name + ".weight", weight, init, {}}};
  if (bias_c > 0) params.push_back({name + ".bias", {1, bias_c, 1, 1}, init, {}});
  return params;
}

std::vector<Param> conv_params(const Conv2d& op, const Shape& src, const std::string& name) {
  return kernel_params({op.out_c, src.c, op.kernel, op.kernel}, src.c * op.kernel * op.kernel,
                       op.bias ? op.out_c : 0, op.shuffle * op.shuffle, name);
}

/// PyTorch counts the fan-in of a transposed convolution over its output channels.
std::vector<Param> conv_params(const ConvTranspose2d& op, const Shape& src,
                               const std::string& name) {
  const int kernel = kernel_of(op);
  return kernel_params({src.c, op.out_c, kernel, kernel}, op.out_c * kernel * kernel,
                       op.bias ? op.out_c : 0, 1, name);
}

std::vector<Param> norm_params(const Norm& op, const Shape& src, const std::string& name) {
  const Shape per_channel{1, src.c, 1, 1};
  const Init zero{Init::Kind::constant, 0.f, 0.f}, one{Init::Kind::constant, 1.f, 0.f};
  std::vector<Param> params{{name + ".gamma", per_channel, one, {}},
                            {name + ".beta", per_channel, zero, {}}};
  if (op.statistics != NormStatistics::own) {
    params.push_back({name + ".mean", per_channel, zero, {}, true});
    params.push_back({name + ".var", per_channel, one, {}, true});
  }
  return params;
}

/// Lets each run of `repeat` output channels (weights: n, biases: c) equal its first.
void repeat_channels(Tensor& value, int repeat) {
  const Shape& s = value.shape();
  const std::size_t channels = static_cast<std::size_t>(s.n > 1 ? s.n : s.c);
  const std::size_t size = value.count() / channels;
  for (std::size_t i = 0; i < channels; ++i)
    std::copy_n(value.data() +
                    i / static_cast<std::size_t>(repeat) * static_cast<std::size_t>(repeat) * size,
                size, value.data() + i * size);
}

}  // namespace

std::vector<Param> param_specs(const Op& op, const Shape& src, const std::string& node_name) {
  if (const auto* conv = std::get_if<Conv2d>(&op)) return conv_params(*conv, src, node_name);
  if (const auto* conv = std::get_if<ConvTranspose2d>(&op))
    return conv_params(*conv, src, node_name);
  if (const auto* norm = std::get_if<Norm>(&op)) return norm_params(*norm, src, node_name);
  if (const auto* learned = std::get_if<Learned>(&op))
    return {{node_name + ".value", src, {.kind = Init::Kind::given, .value = learned->start}, {}}};
  return {};
}

Tensor draw(const Param& param, std::uint64_t seed) {
  if (param.init.kind == Init::Kind::given) return *param.init.value;
  Tensor value(param.shape, param.init.a);
  if (param.init.kind == Init::Kind::uniform)
    Random(seed, param.name).uniform(value.values(), param.init.a, param.init.b);
  if (param.init.repeat > 1) repeat_channels(value, param.init.repeat);
  return value;
}

}  // namespace unmar
