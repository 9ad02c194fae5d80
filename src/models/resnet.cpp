#include <string>

#include "models/blocks.h"

namespace unmar {

NodeId write(Graph& graph, NodeId z, const Shape& image, const ResnetOptions& o) {
  require_at_least(o.blocks, 0, "resnet", "blocks");
  require_at_least(o.channels, 1, "resnet", "channels");
  Blocks b(graph, {o.norm, o.activation, o.border, o.bias});
  NodeId x = b.activate(b.conv(z, o.channels, 3, 1, "stem"), "stem");
  for (int i = 0; i < o.blocks; ++i) {
    const std::string name = "block" + std::to_string(i);
    NodeId inner = b.block(x, o.channels, 3, 1, name + ".conv0");
    inner = b.norm(b.conv(inner, o.channels, 3, 1, name + ".conv1"), name + ".conv1");
    x = b.add(inner, x, name);
  }
  x = b.norm(b.conv(x, o.channels, 3, 1, "last"), "last");
  return b.head(x, image.c, 3, o.sigmoid);
}

Size input_size(const Shape& image, const ResnetOptions& o) {
  const int least = o.border == Border::reflect ? 2 : 1;
  return {std::max(image.h, least), std::max(image.w, least)};
}

}  // namespace unmar
