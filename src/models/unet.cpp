#include <algorithm>
#include <string>

#include "base/fail.h"
#include "models/blocks.h"

namespace unmar {
namespace {

UpsampleMode upsample_mode(const UnetOptions& o) {
  return o.upsample.value_or(o.bilinear ? UpsampleMode::bilinear : UpsampleMode::transposed);
}

class UnetWriter {
 public:
  UnetWriter(Graph& graph, const UnetOptions& options)
      : o_(options),
        mode_(upsample_mode(options)),
        b_(graph, {options.norm, options.activation, options.border, options.bias,
                   options.align_corners}) {}

  /// Channels of the encoder at level i; 0 is full size.
  int width(int i) const { return o_.hidden_size << i; }

  NodeId double_conv(NodeId x, int middle, int channels, int stride, const std::string& name) {
    x = b_.block(x, middle, 3, stride, name + ".conv0");
    return b_.block(x, channels, 3, 1, name + ".conv1");
  }

  NodeId down(NodeId x, int level) {
    const std::string name = "down" + std::to_string(level);
    // Where up-sampling cannot halve the channels, the bottom has only half of them.
    const bool halved = level == o_.depth && !learns(mode_);
    const int channels = halved ? width(level) / 2 : width(level);
    const bool strided = o_.downsample == DownsampleMode::stride;
    x = b_.downsample(x, o_.downsample, name);
    return double_conv(x, channels, channels, strided ? 2 : 1, name);
  }

  /// To the level's size and channels; features: the encoder's there.
  NodeId up(NodeId x, NodeId features, int level) {
    const std::string name = "up" + std::to_string(level);
    x = b_.upsample(x, mode_, width(level), name);
    x = b_.match_size(x, b_.graph().shape(features), name);
    if (o_.skip_mode == SkipMode::concat)
      x = b_.graph().add(Concat{}, {features, x}, name + ".concat");
    if (o_.skip_mode == SkipMode::add) x = b_.add(features, x, name);
    const int channels = learns(mode_) || level == 0 ? width(level) : width(level) / 2;
    return double_conv(x, width(level), channels, 1, name);
  }

  NodeId write(NodeId x, int output_channels) {
    std::vector<NodeId> features{double_conv(x, width(0), width(0), 1, "in")};
    for (int level = 1; level <= o_.depth; ++level)
      features.push_back(down(features.back(), level));
    x = features.back();
    for (int level = o_.depth; level-- > 0;)
      x = up(x, features[static_cast<std::size_t>(level)], level);
    return b_.head(x, output_channels, 1, o_.sigmoid);
  }

 private:
  const UnetOptions& o_;
  UpsampleMode mode_;
  Blocks b_;
};

void check(const UnetOptions& o) {
  require_at_least(o.depth, 1, "unet", "depth");
  require_at_least(o.hidden_size, 1, "unet", "hidden_size");
  if (o.hidden_size % 2 != 0 && !learns(upsample_mode(o)))
    fail(ErrorCode::bad_argument,
         "unet network: 'hidden_size' {} cannot be halved; give an even one", o.hidden_size);
  if (o.depth > 12 || (o.hidden_size << o.depth) > (1 << 16))
    fail(ErrorCode::bad_argument,
         "unet network: hidden_size {} with depth {} makes more than 65536 channels; lower one",
         o.hidden_size, o.depth);
}

}  // namespace

NodeId write(Graph& graph, NodeId z, const Shape& image, const UnetOptions& options) {
  check(options);
  const auto same = [](int given, int found, const char* what) {
    if (given != 0 && given != found)
      fail(ErrorCode::bad_argument, "unet network: '{}' is {} but there are {}; leave it at 0",
           what, given, found);
  };
  same(options.input_channels, graph.shape(z).c, "input_channels");
  same(options.output_channels, image.c, "output_channels");
  return UnetWriter(graph, options).write(z, image.c);
}

Size input_size(const Shape& image, const UnetOptions& options) {
  check(options);
  // Each level must leave a pixel, or two where convolutions reflect.
  const int bottom = options.border == Border::reflect ? 2 : 1;
  const int side = std::min(image.h, image.w);
  int fitting = 0;
  while ((side >> (fitting + 1)) >= bottom) ++fitting;
  if (options.depth > fitting)
    fail(ErrorCode::bad_argument, "unet network: a picture of {}x{} is too small for depth {}; {}",
         image.w, image.h, options.depth,
         fitting > 0 ? fmt::format("use depth {} or less", fitting)
                     : std::string("use another network"));
  return {image.h, image.w};
}

}  // namespace unmar
