#include <nlohmann/json.hpp>
#include <utility>

#include "base/fail.h"
#include "unmar/models.h"

namespace unmar {
namespace {

using Json = nlohmann::ordered_json;

// ---- names of enumerators ---------------------------------------------------------------------

template <class E>
using Names = std::vector<std::pair<E, std::string>>;

const Names<Border>& names(Border) {
  static const Names<Border> n{{Border::zero, "zero"}, {Border::reflect, "reflect"}};
  return n;
}
const Names<DownsampleMode>& names(DownsampleMode) {
  using M = DownsampleMode;
  static const Names<M> n{{M::stride, "stride"},     {M::max, "max"},
                          {M::average, "average"},   {M::area, "area"},
                          {M::bilinear, "bilinear"}, {M::lanczos2, "lanczos2"},
                          {M::lanczos3, "lanczos3"}};
  return n;
}
const Names<UpsampleMode>& names(UpsampleMode) {
  using M = UpsampleMode;
  static const Names<M> n{{M::nearest, "nearest"},
                          {M::bilinear, "bilinear"},
                          {M::bicubic, "bicubic"},
                          {M::transposed, "transposed"},
                          {M::pixel_shuffle, "pixel_shuffle"}};
  return n;
}
const Names<SkipMode>& names(SkipMode) {
  using M = SkipMode;
  static const Names<M> n{{M::concat, "concat"}, {M::add, "add"}, {M::none, "none"}};
  return n;
}
const Names<NetworkNorm>& names(NetworkNorm) {
  using N = NetworkNorm;
  static const Names<N> n{
      {N::batch, "batch"}, {N::instance, "instance"}, {N::group, "group"}, {N::none, "none"}};
  return n;
}
const Names<NetworkActivation>& names(NetworkActivation) {
  using A = NetworkActivation;
  static const Names<A> n{{A::none, "none"}, {A::relu, "relu"},      {A::leaky_relu, "leaky_relu"},
                          {A::elu, "elu"},   {A::silu, "silu"},      {A::gelu, "gelu"},
                          {A::tanh, "tanh"}, {A::sigmoid, "sigmoid"}};
  return n;
}

// ---- values: what() says in an error what would do --------------------------------------------

Json write(int value) { return value; }
Json write(bool value) { return value; }
template <class E>
requires std::is_enum_v<E> Json write(E value) {
  for (const auto& [e, name] : names(value))
    if (e == value) return name;
  return nullptr;
}
template <class T>
Json write(const std::vector<T>& list) {
  Json json = Json::array();
  for (const T& value : list) json.push_back(write(value));
  return json;
}
template <class T>
Json write(const std::optional<T>& value) {
  return value ? write(*value) : Json(nullptr);
}

bool read(const Json& json, int& value) {
  if (!json.is_number_integer()) return false;
  const auto wide = json.get<std::int64_t>();
  value = static_cast<int>(wide);
  return wide >= 0 && wide <= 1 << 20;
}
bool read(const Json& json, bool& value) {
  if (json.is_boolean()) value = json.get<bool>();
  return json.is_boolean();
}
template <class E>
requires std::is_enum_v<E>
bool read(const Json& json, E& value) {
  if (!json.is_string()) return false;
  for (const auto& [e, name] : names(value))
    if (name == json.get<std::string>()) {
      value = e;
      return true;
    }
  return false;
}
template <class T>
bool read(const Json& json, std::vector<T>& list) {
  if (!json.is_array() || json.empty()) return false;
  list.assign(json.size(), T{});
  for (std::size_t i = 0; i < list.size(); ++i)
    if (!read(json[i], list[i])) return false;
  return true;
}
template <class T>
bool read(const Json& json, std::optional<T>& value) {
  value.reset();
  if (json.is_null()) return true;
  return read(json, value.emplace());
}

std::string what(int) { return "a whole number from 0 to 1048576"; }
std::string what(bool) { return "true or false"; }
template <class E>
requires std::is_enum_v<E> std::string what(E value) {
  std::string list;
  for (const auto& [e, name] : names(value)) list += (list.empty() ? "" : ", ") + name;
  return "one of " + list;
}
template <class T>
std::string what(const std::vector<T>&) {
  return "a list; each entry is " + what(T{});
}
template <class T>
std::string what(const std::optional<T>&) {
  return "null or " + what(T{});
}

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
void read_fields(const Json& json, O& options, const std::string& where) {
  std::vector<std::string> known{kNetworkKey};
  fields(options, [&](const char* key, auto& value) {
    known.emplace_back(key);
    if (!json.contains(key)) return;
    if (!read(json[key], value))
      fail(ErrorCode::bad_argument, "{}: '{}' is {}; give {}", where, key, json[key].dump(),
           what(value));
  });
  for (const auto& [key, value] : json.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      fail(ErrorCode::bad_argument, "{}: network '{}' has no option '{}'; did you mean {}?", where,
           json.at(kNetworkKey).template get<std::string>(), key, closest(key, known));
}

}  // namespace

std::string network_to_json(const NetworkOptions& options) {
  Json json{{kNetworkKey, network_name(options)}};
  NetworkOptions copy = options;
  std::visit(
      [&](auto& o) { fields(o, [&](const char* key, auto& value) { json[key] = write(value); }); },
      copy);
  return json.dump(2);
}

NetworkOptions network_from_json(std::string_view text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object())
    fail(ErrorCode::bad_argument, "{}: not a JSON object; see 'unmar networks show NAME --json'",
         where);
  if (!json.contains(kNetworkKey) || !json[kNetworkKey].is_string())
    fail(ErrorCode::bad_argument, "{}: '{}' is missing; give the name of a network", where,
         kNetworkKey);
  NetworkOptions options;
  try {
    options = default_network(json[kNetworkKey].get<std::string>());
  } catch (const Error& error) {
    fail(ErrorCode::bad_argument, "{}: {}", where, error.what());
  }
  std::visit([&](auto& o) { read_fields(json, o, where); }, options);
  return options;
}

}  // namespace unmar
