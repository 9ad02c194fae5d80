#include <string>

#include "models/blocks.h"

namespace unmar {

NodeId write(Graph& graph, NodeId z, const Shape& image, const PlainOptions& o) {
  require_at_least(o.layers, 1, "plain", "layers");
  require_at_least(o.channels, 1, "plain", "channels");
  require_at_least(o.kernel, 1, "plain", "kernel");
  Blocks b(graph, {o.norm, o.activation, o.border, o.bias});
  NodeId x = z;
  for (int i = 0; i < o.layers; ++i)
    x = b.block(x, o.channels, o.kernel, 1, "layer" + std::to_string(i));
  return b.head(x, image.c, 1, o.sigmoid);
}

Size input_size(const Shape& image, const PlainOptions& o) {
  const int least = o.border == Border::reflect ? (o.kernel - 1) / 2 + 1 : 1;
  return {std::max(image.h, least), std::max(image.w, least)};
}

}  // namespace unmar
