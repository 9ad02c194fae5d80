#include <algorithm>
#include <string>

#include "base/fail.h"
#include "unmar/models.h"

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
  require(options.up.size(), "up", false);
  require(options.skip.size(), "skip", false);
  require(options.kernel_down.size(), "kernel_down", true);
  require(options.kernel_up.size(), "kernel_up", true);
  require(options.upsample.size(), "upsample", true);
}

class SkipWriter {
 public:
  SkipWriter(Graph& graph, const SkipOptions& options) : g_(graph), o_(options) {}

  /// Writes scale `i` and all below it; x [n,c,h,w] -> [n,up[i],h,w].
  NodeId scale(int i, NodeId x) {
    const std::string name = "scale" + std::to_string(i) + ".";
    const auto index = static_cast<std::size_t>(i);

    NodeId deep = block(x, o_.down[index], at_scale(o_.kernel_down, i), 2,
                        name + "down0");  // [n,down,h/2,w/2]
    deep = block(deep, o_.down[index], at_scale(o_.kernel_down, i), 1, name + "down1");
    if (index + 1 < o_.down.size()) deep = scale(i + 1, deep);
    deep = g_.add(Upsample{at_scale(o_.upsample, i), 2}, {deep},
                  name + "upsample");  // [n,.,h,w] or one larger

    if (o_.skip[index] > 0) {
      const NodeId skip = block(x, o_.skip[index], o_.kernel_skip, 1, name + "skip");
      deep = g_.add(Concat{}, {skip, deep}, name + "concat");
    }
    deep = g_.add(BatchNorm{}, {deep}, name + "concat.norm");
    deep = block(deep, o_.up[index], at_scale(o_.kernel_up, i), 1, name + "up");
    if (o_.one_by_one_up) deep = block(deep, o_.up[index], 1, 1, name + "up1x1");
    return deep;
  }

  NodeId head(NodeId x, int out_channels) {
    x = g_.add(Conv2d{out_channels, 1, 1, o_.border, o_.bias}, {x}, "head.conv");
    return o_.sigmoid ? g_.add(Activation{ActivationKind::sigmoid}, {x}, "head.sigmoid") : x;
  }

 private:
  /// conv [-> reduction] -> norm -> activation.
  NodeId block(NodeId x, int channels, int kernel, int stride, const std::string& name) {
    const bool strided = stride > 1 && o_.downsample == DownsampleMode::stride;
    x = g_.add(Conv2d{channels, kernel, strided ? stride : 1, o_.border, o_.bias}, {x},
               name + ".conv");
    if (stride > 1 && !strided) x = reduce(x, stride, name + ".reduce");
    x = g_.add(BatchNorm{}, {x}, name + ".norm");
    return activate(x, name + ".act");
  }

  NodeId reduce(NodeId x, int factor, const std::string& name) {
    switch (o_.downsample) {
      case DownsampleMode::average:
        return g_.add(Pool{PoolKind::average, factor}, {x}, name);
      case DownsampleMode::max:
        return g_.add(Pool{PoolKind::max, factor}, {x}, name);
      case DownsampleMode::lanczos2:
        return g_.add(Reduce{ReduceKernel::lanczos2, factor}, {x}, name);
      case DownsampleMode::lanczos3:
        return g_.add(Reduce{ReduceKernel::lanczos3, factor}, {x}, name);
      case DownsampleMode::stride:
        break;
    }
    return x;
  }

  NodeId activate(NodeId x, const std::string& name) {
    switch (o_.activation) {
      case NetworkActivation::leaky_relu:
        return g_.add(Activation{ActivationKind::leaky_relu, 0.2f}, {x}, name);
      case NetworkActivation::elu:
        return g_.add(Activation{ActivationKind::elu, 1.f}, {x}, name);
      case NetworkActivation::swish:
        return g_.add(Activation{ActivationKind::silu}, {x}, name);
      case NetworkActivation::none:
        break;
    }
    return x;
  }

  Graph& g_;
  const SkipOptions& o_;
};

}  // namespace

NodeId skip_network(Graph& graph, NodeId z, int out_channels, const SkipOptions& options) {
  check(options);
  const Shape& shape = graph.shape(z);
  const Size needed = skip_input_size(shape.h, shape.w, options);
  if (needed.h > shape.h || needed.w > shape.w)
    fail(ErrorCode::bad_argument,
         "skip network: input of {}x{} does not suit {} scales; use {}x{} (see skip_input_size)",
         shape.w, shape.h, options.down.size(), needed.w, needed.h);
  SkipWriter writer(graph, options);
  return writer.head(writer.scale(0, z), out_channels);
}

Size skip_input_size(int h, int w, const SkipOptions& options) {
  check(options);
  const int scales = static_cast<int>(options.down.size());
  const bool every_scale_skips =
      std::all_of(options.skip.begin(), options.skip.end(), [](int c) { return c > 0; });
  const bool any_size = every_scale_skips && options.downsample == DownsampleMode::stride;

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
  return {fit(h), fit(w)};
}

}  // namespace unmar
