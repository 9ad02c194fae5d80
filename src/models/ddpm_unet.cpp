#include "unmar/models/ddpm_unet.h"

#include <cmath>
#include <utility>

#include "base/fail.h"

namespace unmar {
namespace {

void check(const DdpmUnetOptions& o, const Shape& sample, const Shape& timesteps) {
  const auto require = [](bool ok, const std::string& text) {
    if (!ok) fail(ErrorCode::bad_argument, "ddpm unet: {}", text);
  };
  const std::size_t levels = o.block_out_channels.size();
  require(levels >= 1 && levels <= 16,
          fmt::format("block_out_channels must have 1 to 16 entries, has {}", levels));
  require(o.down_block_types.size() == levels && o.up_block_types.size() == levels,
          fmt::format("down_block_types ({}) and up_block_types ({}) need one entry per entry of "
                      "block_out_channels ({})",
                      o.down_block_types.size(), o.up_block_types.size(), levels));
  require(o.layers_per_block >= 1,
          fmt::format("layers_per_block must be at least 1, got {}", o.layers_per_block));
  require(o.downsample_padding == 0 || o.downsample_padding == 1,
          fmt::format("downsample_padding must be 0 or 1, got {}", o.downsample_padding));
  require(!o.attention_head_dim || *o.attention_head_dim >= 1,
          fmt::format("attention_head_dim must be at least 1 or none, got {}",
                      o.attention_head_dim.value_or(0)));
  require(sample.c == o.in_channels,
          fmt::format("in_channels is {} but the sample is {}", o.in_channels, to_string(sample)));
  const int unit = 1 << (levels - 1);
  require(sample.h % unit == 0 && sample.w % unit == 0,
          fmt::format("{} levels need sides that are multiples of {}, got {}x{}", levels, unit,
                      sample.w, sample.h));
  require(timesteps == Shape{sample.n, 1, 1, 1},
          fmt::format("timesteps must be [{},1,1,1], one per sample, got {}", sample.n,
                      to_string(timesteps)));
}

class DdpmUnetWriter {
 public:
  DdpmUnetWriter(Graph& graph, const DdpmUnetOptions& options) : g_(graph), o_(options) {}

  NodeId write(NodeId sample, NodeId timesteps) {
    embed_time(timesteps);
    const auto& widths = o_.block_out_channels;
    NodeId x = conv(o_.center_input_sample ? centred(sample) : sample, widths[0], 3, "conv_in");
    skips_.push_back(x);
    for (std::size_t i = 0; i < widths.size(); ++i) x = down_block(x, i);
    x = middle(x);
    for (std::size_t i = 0; i < widths.size(); ++i) x = up_block(x, i);
    x = norm(x, o_.norm_num_groups, "conv_norm_out");
    x = g_.add(Activation{ActivationKind::silu}, {x}, "conv_act");
    x = conv(x, o_.out_channels, 3, "conv_out");
    start_at_zero(x);
    return x;
  }

 private:
  /// What ends with it changes nothing yet, though it learns.
  void start_at_zero(NodeId id) {
    for (const int p : g_.node(id).params) g_.set_init(p, {});
  }

  NodeId conv(NodeId x, const Conv2d& op, const std::string& name) {
    const NodeId id = g_.add(op, {x}, name);
    const std::vector<int>& params = g_.node(id).params;
    const int area = op.kernel * op.kernel, fans = (g_.shape(x).c + op.out_c) * area;
    const float bound = std::sqrt(6.f / static_cast<float>(fans));
    g_.set_init(params[0], {Init::Kind::uniform, -bound, bound});
    g_.set_init(params[1], {});
    return id;
  }
  NodeId conv(NodeId x, int channels, int kernel, const std::string& name) {
    return conv(x, Conv2d{channels, kernel}, name);
  }
  /// On [n,c,1,1], or pixel by pixel.
  NodeId linear(NodeId x, int channels, const std::string& name) {
    return conv(x, channels, 1, name);
  }
  NodeId norm(NodeId x, int groups, const std::string& name) {
    const NodeId id = g_.add(Norm{NormKind::group, groups, o_.norm_eps}, {x}, name);
    const std::vector<int>& params = g_.node(id).params;
    g_.rename(params[0], name + ".weight");
    g_.rename(params[1], name + ".bias");
    return id;
  }
  NodeId activate(NodeId x, const std::string& name) {
    return g_.add(Activation{o_.act_fn, 0.f}, {x}, name);
  }

  NodeId centred(NodeId sample) {
    const Shape s = g_.shape(sample);
    const auto all = [&](const Shape& shape, float value, const std::string& name) {
      return g_.add(Constant{std::make_shared<const Tensor>(shape, value)}, {}, name);
    };
    const NodeId twice =
        g_.add(Multiply{}, {sample, all({s.n, 1, s.h, s.w}, 2.f, "center_input.two")},
               "center_input.twice");
    return g_.add(Add{}, {twice, all({s.n, s.c, 1, 1}, -1.f, "center_input.minus_one")},
                  "center_input");
  }

  /// Each residual block starts with an activation of the embedding: one serves all.
  void embed_time(NodeId timesteps) {
    const int width = o_.block_out_channels[0];
    NodeId t =
        g_.add(TimeEmbedding{width, o_.flip_sin_to_cos, o_.freq_shift}, {timesteps}, "time_proj");
    t = linear(t, 4 * width, "time_embedding.linear_1");
    t = g_.add(Activation{ActivationKind::silu}, {t}, "time_embedding.act");
    t = linear(t, 4 * width, "time_embedding.linear_2");
    time_ = activate(t, "time_embedding.nonlinearity");
  }

  NodeId resnet(NodeId x, int channels, const std::string& name) {
    NodeId h = norm(x, o_.norm_num_groups, name + ".norm1");
    h = activate(h, name + ".nonlinearity1");
    h = conv(h, channels, 3, name + ".conv1");
    h = g_.add(Add{}, {h, linear(time_, channels, name + ".time_emb_proj")}, name + ".add_time");
    h = norm(h, o_.norm_num_groups, name + ".norm2");
    h = activate(h, name + ".nonlinearity2");
    if (o_.dropout > 0) h = g_.add(Dropout{o_.dropout}, {h}, name + ".dropout");
    h = conv(h, channels, 3, name + ".conv2");
    start_at_zero(h);
    if (g_.shape(x).c != channels) x = linear(x, channels, name + ".conv_shortcut");
    return g_.add(Add{}, {h, x}, name);
  }

  NodeId attention(NodeId x, int groups, const std::string& name) {
    const int channels = g_.shape(x).c, width = o_.attention_head_dim.value_or(channels);
    if (channels % width != 0)
      fail(ErrorCode::bad_argument,
           "ddpm unet: '{}' has {} channels, which heads of attention_head_dim {} do not divide",
           name, channels, width);
    const NodeId n = norm(x, groups, name + ".group_norm");
    const NodeId q = linear(n, channels, name + ".to_q");
    const NodeId k = linear(n, channels, name + ".to_k");
    const NodeId v = linear(n, channels, name + ".to_v");
    const NodeId seen = g_.add(Attention{channels / width}, {q, k, v}, name + ".attention");
    const NodeId out = linear(seen, channels, name + ".to_out.0");
    start_at_zero(out);
    return g_.add(Add{}, {out, x}, name);
  }

  NodeId layer(NodeId x, int channels, DdpmBlock kind, const std::string& block, int i) {
    const std::string number = std::to_string(i);
    x = resnet(x, channels, block + ".resnets." + number);
    return kind == DdpmBlock::attention
               ? attention(x, o_.norm_num_groups, block + ".attentions." + number)
               : x;
  }

  NodeId down_block(NodeId x, std::size_t i) {
    const std::string name = fmt::format("down_blocks.{}", i);
    const int channels = o_.block_out_channels[i];
    for (int k = 0; k < o_.layers_per_block; ++k)
      skips_.push_back(x = layer(x, channels, o_.down_block_types[i], name, k));
    if (i + 1 == o_.block_out_channels.size()) return x;
    Conv2d half{channels, 3, 2};
    half.pad_end = o_.downsample_padding == 0;
    skips_.push_back(x = conv(x, half, name + ".downsamplers.0.conv"));
    return x;
  }

  NodeId middle(NodeId x) {
    const int channels = o_.block_out_channels.back();
    x = resnet(x, channels, "mid_block.resnets.0");
    if (o_.add_attention)
      x = attention(x, o_.attn_norm_num_groups.value_or(o_.norm_num_groups),
                    "mid_block.attentions.0");
    return resnet(x, channels, "mid_block.resnets.1");
  }

  NodeId up_block(NodeId x, std::size_t i) {
    const std::string name = fmt::format("up_blocks.{}", i);
    const std::size_t level = o_.block_out_channels.size() - 1 - i;
    const int channels = o_.block_out_channels[level];
    for (int k = 0; k <= o_.layers_per_block; ++k) {
      const std::string join = fmt::format("{}.resnets.{}.concat", name, k);
      x = g_.add(Concat{}, {x, skips_.back()}, join);
      skips_.pop_back();
      x = layer(x, channels, o_.up_block_types[i], name, k);
    }
    if (level == 0) return x;
    const std::string up = name + ".upsamplers.0";
    x = g_.add(Linear::enlarge(g_.shape(x), 2, ResizeKind::nearest), {x}, up);
    return conv(x, channels, 3, up + ".conv");
  }

  Graph& g_;
  const DdpmUnetOptions& o_;
  NodeId time_;
  std::vector<NodeId> skips_;
};

}  // namespace

NodeId write_ddpm_unet(Graph& graph, NodeId sample, NodeId timesteps,
                       const DdpmUnetOptions& options) {
  check(options, graph.shape(sample), graph.shape(timesteps));
  return DdpmUnetWriter(graph, options).write(sample, timesteps);
}

namespace {

/// What both networks of the paper have in common: TensorFlow's padding, one head, eps 1e-6.
DdpmUnetOptions paper(int sample_size, std::vector<int> widths, std::size_t attention_level) {
  DdpmUnetOptions o;
  o.sample_size = sample_size;
  o.flip_sin_to_cos = false;
  o.freq_shift = 1.f;
  o.down_block_types.assign(widths.size(), DdpmBlock::resnet);
  o.up_block_types.assign(widths.size(), DdpmBlock::resnet);
  o.down_block_types[attention_level] = DdpmBlock::attention;
  o.up_block_types[widths.size() - 1 - attention_level] = DdpmBlock::attention;
  o.block_out_channels = std::move(widths);
  o.downsample_padding = 0;
  o.attention_head_dim = std::nullopt;
  o.norm_eps = 1e-6f;
  return o;
}

}  // namespace

DdpmUnetOptions ddpm_cifar10_unet() {
  DdpmUnetOptions o = paper(32, {128, 256, 256, 256}, 1);
  o.dropout = 0.1f;
  return o;
}
DdpmUnetOptions ddpm_256_unet() { return paper(256, {128, 128, 256, 256, 512, 512}, 4); }

}  // namespace unmar
