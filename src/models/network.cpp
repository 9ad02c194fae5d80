#include "base/fail.h"
#include "models/blocks.h"

namespace unmar {
namespace {

/// In the order of the variant.
constexpr const char* kNames[] = {"skip", "unet", "resnet", "decoder", "convdecoder", "plain"};
static_assert(std::size(kNames) == std::variant_size_v<NetworkOptions>);

template <std::size_t... I>
NetworkOptions default_of(std::size_t index, std::index_sequence<I...>) {
  NetworkOptions result;
  ((index == I ? void(result.emplace<I>()) : void()), ...);
  return result;
}

}  // namespace

std::vector<std::string> network_names() { return {std::begin(kNames), std::end(kNames)}; }

std::string network_name(const NetworkOptions& options) { return kNames[options.index()]; }

NetworkOptions default_network(std::string_view name) {
  constexpr auto all = std::make_index_sequence<std::size(kNames)>();
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) return default_of(i, all);
  fail(ErrorCode::bad_argument, "network: there is no '{}'; did you mean {}?", name,
       closest(name, network_names()));
}

NodeId write_network(Graph& graph, NodeId z, const Shape& image, const NetworkOptions& options) {
  return std::visit([&](const auto& o) { return write(graph, z, image, o); }, options);
}

Size network_input_size(const Shape& image, const NetworkOptions& options) {
  return std::visit([&](const auto& o) { return input_size(image, o); }, options);
}

}  // namespace unmar
