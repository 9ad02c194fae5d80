#include <cmath>
#include <string>

#include "models/blocks.h"

namespace unmar {
namespace {

/// Size after layer i of n, growing by one ratio from `from` to `to`.
int grown(int from, int to, int i, int n) {
  const double ratio = static_cast<double>(to) / from;
  return static_cast<int>(std::lround(from * std::pow(ratio, (i + 1.0) / n)));
}

/// Reflection needs two pixels.
int least_side(const ConvDecoderOptions& o) { return o.border == Border::reflect ? 2 : 1; }

}  // namespace

NodeId write(Graph& graph, NodeId z, const Shape& image, const ConvDecoderOptions& o) {
  require_at_least(o.layers, 1, "convdecoder", "layers");
  require_at_least(o.channels, 1, "convdecoder", "channels");
  Blocks b(graph, {o.norm, o.activation, o.border, o.bias, o.align_corners});
  const Shape from = graph.shape(z);
  const int least = least_side(o);
  const int h = std::max(image.h, least), w = std::max(image.w, least);
  NodeId x = z;
  for (int i = 0; i <= o.layers; ++i) {
    const std::string name = "layer" + std::to_string(i);
    if (i < o.layers)
      x = b.resize(x, o.upsample, grown(from.h, h, i, o.layers), grown(from.w, w, i, o.layers),
                   name);
    x = b.norm(b.activate(b.conv(x, o.channels, 3, 1, name), name), name);
  }
  return b.head(x, image.c, 1, o.sigmoid);
}

Size input_size(const Shape& image, const ConvDecoderOptions& o) {
  const int least = least_side(o);
  require_at_least(o.input_size, least, "convdecoder", "input_size");
  const int shorter = std::min(image.h, image.w);
  if (shorter <= o.input_size) return {std::max(image.h, least), std::max(image.w, least)};
  const auto part = [&](int side) {
    return static_cast<int>(std::lround(static_cast<double>(side) * o.input_size / shorter));
  };
  return {part(image.h), part(image.w)};
}

}  // namespace unmar
