#include <string>

#include "base/fail.h"
#include "models/blocks.h"

namespace unmar {
namespace {

void check_layers(const DecoderOptions& o) {
  require_at_least(o.layers, 1, "decoder", "layers");
  if (o.layers > kMaxHalvings)
    fail(ErrorCode::bad_argument, "decoder network: 'layers' must be at most {}, got {}",
         kMaxHalvings, o.layers);
}

}  // namespace

NodeId write(Graph& graph, NodeId z, const Shape& image, const DecoderOptions& o) {
  check_layers(o);
  require_at_least(o.channels, 1, "decoder", "channels");
  Blocks b(graph, {o.norm, o.activation, Border::zero, o.bias, o.align_corners});
  NodeId x = z;
  for (int i = 0; i <= o.layers; ++i) {
    const std::string name = "layer" + std::to_string(i);
    x = b.conv(x, o.channels, 1, 1, name);
    if (i < o.layers) x = b.upsample(x, o.upsample, o.channels, name);
    x = b.norm(b.activate(x, name), name);
  }
  return b.head(x, image.c, 1, o.sigmoid);
}

Size input_size(const Shape& image, const DecoderOptions& o) {
  check_layers(o);
  const auto part = [&](int side) { return std::max(1, ((side - 1) >> o.layers) + 1); };
  return {part(image.h), part(image.w)};
}

}  // namespace unmar
