#include <algorithm>

#include "base/fail.h"
#include "models/json_values.h"
#include "unmar/models/models.h"

namespace unmar {

using json::Json;
using json::Names;

// ---- names of enumerators, where json::read and json::write find them -------------------------

static const Names<Border>& names(Border) {
  static const Names<Border> n{{Border::zero, "zero"}, {Border::reflect, "reflect"}};
  return n;
}
static const Names<DownsampleMode>& names(DownsampleMode) {
  using M = DownsampleMode;
  static const Names<M> n{{M::stride, "stride"},     {M::max, "max"},
                          {M::average, "average"},   {M::area, "area"},
                          {M::bilinear, "bilinear"}, {M::lanczos2, "lanczos2"},
                          {M::lanczos3, "lanczos3"}};
  return n;
}
static const Names<UpsampleMode>& names(UpsampleMode) {
  using M = UpsampleMode;
  static const Names<M> n{{M::nearest, "nearest"},
                          {M::bilinear, "bilinear"},
                          {M::bicubic, "bicubic"},
                          {M::transposed, "transposed"},
                          {M::pixel_shuffle, "pixel_shuffle"}};
  return n;
}
static const Names<SkipMode>& names(SkipMode) {
  using M = SkipMode;
  static const Names<M> n{{M::concat, "concat"}, {M::add, "add"}, {M::none, "none"}};
  return n;
}
static const Names<NetworkNorm>& names(NetworkNorm) {
  using N = NetworkNorm;
  static const Names<N> n{
      {N::batch, "batch"}, {N::instance, "instance"}, {N::group, "group"}, {N::none, "none"}};
  return n;
}
static const Names<NetworkActivation>& names(NetworkActivation) {
  using A = NetworkActivation;
  static const Names<A> n{{A::none, "none"}, {A::relu, "relu"},      {A::leaky_relu, "leaky_relu"},
                          {A::elu, "elu"},   {A::silu, "silu"},      {A::gelu, "gelu"},
                          {A::tanh, "tanh"}, {A::sigmoid, "sigmoid"}};
  return n;
}

namespace {

// ---- the options of each network --------------------------------------------------------------

template <class O, class F>
void common_fields(O& o, F field) {
  field("norm", o.norm);
  field("activation", o.activation);
  field("sigmoid", o.sigmoid);
  field("bias", o.bias);
}
template <class F>
void fields(SkipOptions& o, F field) {
  field("down", o.down);
  field("up", o.up);
  field("skip", o.skip);
  field("kernel_down", o.kernel_down);
  field("kernel_up", o.kernel_up);
  field("kernel_skip", o.kernel_skip);
  field("downsample", o.downsample);
  field("upsample", o.upsample);
  field("align_corners", o.align_corners);
  field("skip_mode", o.skip_mode);
  field("one_by_one_up", o.one_by_one_up);
  field("border", o.border);
  common_fields(o, field);
}
template <class F>
void fields(UnetOptions& o, F field) {
  field("input_channels", o.input_channels);
  field("output_channels", o.output_channels);
  field("hidden_size", o.hidden_size);
  field("bilinear", o.bilinear);
  field("upsample", o.upsample);
  field("align_corners", o.align_corners);
  field("depth", o.depth);
  field("downsample", o.downsample);
  field("skip_mode", o.skip_mode);
  field("border", o.border);
  common_fields(o, field);
}
template <class F>
void fields(ResnetOptions& o, F field) {
  field("blocks", o.blocks);
  field("channels", o.channels);
  field("border", o.border);
  common_fields(o, field);
}
template <class F>
void fields(DecoderOptions& o, F field) {
  field("layers", o.layers);
  field("channels", o.channels);
  field("upsample", o.upsample);
  field("align_corners", o.align_corners);
  common_fields(o, field);
}
template <class F>
void fields(ConvDecoderOptions& o, F field) {
  field("layers", o.layers);
  field("channels", o.channels);
  field("input_size", o.input_size);
  field("upsample", o.upsample);
  field("align_corners", o.align_corners);
  field("border", o.border);
  common_fields(o, field);
}
template <class F>
void fields(PlainOptions& o, F field) {
  field("layers", o.layers);
  field("channels", o.channels);
  field("kernel", o.kernel);
  field("border", o.border);
  common_fields(o, field);
}

constexpr const char* kNetworkKey = "network";

template <class O>
void read_fields(const Json& given, O& options, const std::string& where) {
  std::vector<std::string> known{kNetworkKey};
  fields(options, [&](const char* key, auto& value) {
    known.emplace_back(key);
    if (!given.contains(key)) return;
    if (!json::read(given[key], value))
      fail(ErrorCode::bad_argument, "{}: '{}' is {}; give {}", where, key, given[key].dump(),
           json::what(value));
  });
  for (const auto& [key, value] : given.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      fail(ErrorCode::bad_argument, "{}: network '{}' has no option '{}'; did you mean {}?", where,
           given.at(kNetworkKey).template get<std::string>(), key, closest(key, known));
}

}  // namespace

std::string network_to_json(const NetworkOptions& options) {
  Json object{{kNetworkKey, network_name(options)}};
  NetworkOptions copy = options;
  std::visit(
      [&](auto& o) {
        fields(o, [&](const char* key, auto& value) { object[key] = json::write(value); });
      },
      copy);
  return object.dump(2);
}

NetworkOptions network_from_json(std::string_view text, const std::string& where) {
  const Json given = Json::parse(text, nullptr, false);
  if (!given.is_object())
    fail(ErrorCode::bad_argument, "{}: not a JSON object; see 'unmar networks show NAME --json'",
         where);
  if (!given.contains(kNetworkKey) || !given[kNetworkKey].is_string())
    fail(ErrorCode::bad_argument, "{}: '{}' is missing; give the name of a network", where,
         kNetworkKey);
  NetworkOptions options;
  try {
    options = default_network(given[kNetworkKey].get<std::string>());
  } catch (const Error& error) {
    fail(ErrorCode::bad_argument, "{}: {}", where, error.what());
  }
  std::visit([&](auto& o) { read_fields(given, o, where); }, options);
  return options;
}

}  // namespace unmar
