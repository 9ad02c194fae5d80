#include <algorithm>
#include <string>

#include "base/fail.h"
#include "models/blocks.h"

namespace unmar {
namespace {

/// Element i of a per-scale list; a list with one entry serves all scales.
template <class T>
T at_scale(const std::vector<T>& list, int scale) {
  return list.size() == 1 ? list[0] : list[static_cast<std::size_t>(scale)];
}

void check(const SkipOptions& options) {
  const std::size_t scales = options.down.size();
  const auto require = [&](std::size_t size, const char* list, bool one_serves_all) {
    if (size == scales || (one_serves_all && size == 1)) return;
    fail(ErrorCode::bad_argument,
         "skip network: '{}' has {} entries but 'down' has {}; give one per scale", list, size,
         scales);
  };
  if (scales == 0)
    fail(ErrorCode::bad_argument, "skip network: 'down' is empty; give the channels of each scale");
  if (scales > std::size_t{kMaxHalvings})
    fail(ErrorCode::bad_argument, "skip network: 'down' has {} entries; there can be {} scales",
         scales, kMaxHalvings);
  require(options.up.size(), "up", false);
  require(options.skip.size(), "skip", false);
  require(options.kernel_down.size(), "kernel_down", true);
  require(options.kernel_up.size(), "kernel_up", true);
  require(options.upsample.size(), "upsample", true);
}

/// A reduction that drops an odd last row follows the convolution here, as in the original.
bool reduces_behind(DownsampleMode mode) {
  return mode != DownsampleMode::stride && mode != DownsampleMode::area &&
         mode != DownsampleMode::bilinear;
}

class SkipWriter {
 public:
  SkipWriter(Graph& graph, const SkipOptions& options)
      : o_(options),
        b_(graph, {options.norm, options.activation, options.border, options.bias,
                   options.align_corners}) {}

  /// Writes scale `i` and all below it; x [n,c,h,w] -> [n,up[i],h,w].
  NodeId scale(int i, NodeId x) {
    const std::string name = "scale" + std::to_string(i);
    const auto index = static_cast<std::size_t>(i);
    const int kernel_down = at_scale(o_.kernel_down, i);

    NodeId deep = reduced(x, o_.down[index], kernel_down, name + ".down0");  // [n,down,h/2,w/2]
    deep = b_.block(deep, o_.down[index], kernel_down, 1, name + ".down1");
    if (index + 1 < o_.down.size()) deep = scale(i + 1, deep);
    deep = b_.upsample(deep, at_scale(o_.upsample, i), b_.channels(deep), name);
    deep = join(i, x, deep, name);
    deep = b_.norm(deep, name + ".concat");
    deep = b_.block(deep, o_.up[index], at_scale(o_.kernel_up, i), 1, name + ".up");
    if (o_.one_by_one_up) deep = b_.block(deep, o_.up[index], 1, 1, name + ".up1x1");
    return deep;
  }

  NodeId head(NodeId x, int channels) { return b_.head(x, channels, 1, o_.sigmoid, o_.bias); }

 private:
  /// conv [-> reduction] -> norm -> activation, at half the size.
  NodeId reduced(NodeId x, int channels, int kernel, const std::string& name) {
    const bool strided = o_.downsample == DownsampleMode::stride;
    const bool behind = reduces_behind(o_.downsample);
    if (!behind) x = b_.downsample(x, o_.downsample, name);
    x = b_.conv(x, channels, kernel, strided ? 2 : 1, name);
    if (behind) x = b_.downsample(x, o_.downsample, name);
    return b_.activate(b_.norm(x, name), name);
  }

  /// x: what the scale got; deep: what came from below, of x's size or one larger.
  NodeId join(int i, NodeId x, NodeId deep, const std::string& name) {
    const int channels = o_.skip[static_cast<std::size_t>(i)];
    if (channels == 0 || o_.skip_mode == SkipMode::none) return deep;
    const bool add = o_.skip_mode == SkipMode::add;
    const NodeId skip =
        b_.block(x, add ? b_.channels(deep) : channels, o_.kernel_skip, 1, name + ".skip");
    if (!add) return b_.graph().add(Concat{}, {skip, deep}, name + ".concat");
    const Shape& s = b_.graph().shape(skip);
    return b_.add(skip, b_.match_size(deep, s, name), name);
  }

  const SkipOptions& o_;
  Blocks b_;
};

}  // namespace

NodeId write(Graph& graph, NodeId z, const Shape& image, const SkipOptions& options) {
  check(options);
  const Shape& shape = graph.shape(z);
  const Size needed = input_size(shape, options);
  if (needed.h > shape.h || needed.w > shape.w)
    fail(ErrorCode::bad_argument,
         "skip network: input of {}x{} does not suit {} scales; use {}x{} (network_input_size)",
         shape.w, shape.h, options.down.size(), needed.w, needed.h);
  SkipWriter writer(graph, options);
  return writer.head(writer.scale(0, z), image.c);
}

Size input_size(const Shape& image, const SkipOptions& options) {
  check(options);
  const int scales = static_cast<int>(options.down.size());
  const bool every_scale_skips =
      options.skip_mode != SkipMode::none &&
      std::all_of(options.skip.begin(), options.skip.end(), [](int c) { return c > 0; });
  const bool any_size = every_scale_skips && !reduces_behind(options.downsample);

  // A kernel that reflects by `pad` needs sides above pad. The sides at level i are ceil(side /
  // 2^i); there run the kernels of scale i and the second down convolution of scale i - 1.
  int least = 1;
  for (int level = 0; level <= scales && options.border == Border::reflect; ++level) {
    int kernel = level > 0 ? at_scale(options.kernel_down, level - 1) : 1;
    if (level < scales)
      kernel = std::max({kernel, at_scale(options.kernel_down, level),
                         at_scale(options.kernel_up, level), options.kernel_skip});
    const int pad = (kernel - 1) / 2;
    if (pad > 0) least = std::max(least, (pad << level) + 1);
  }

  const auto fit = [&](int side) {
    side = std::max(side, least);
    const int multiple = 1 << scales;
    return any_size ? side : (side + multiple - 1) / multiple * multiple;
  };
  return {fit(image.h), fit(image.w)};
}

}  // namespace unmar
